"""The deterministic half: the whole service in one process, under a virtual clock, from one seed.

Real are the rows in Postgres, the queue, the executor, the handlers, the client with its parsers
and the simulator's world. In place of the network, the processes and time stand a seed's decisions,
so that a run of hours takes moments and a run that fails can be watched again.
"""

from devtools.faults.simulated.many import Summary, run_many
from devtools.faults.simulated.run import Profile, Report, run_seed

__all__ = ["Profile", "Report", "Summary", "run_many", "run_seed"]
