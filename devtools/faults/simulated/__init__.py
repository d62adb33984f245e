"""The deterministic part: the whole service in one process, with a virtual clock, from one seed.

Real are the rows in Postgres, the queue, the executor, the handlers, the client with its parsers
and the simulator's world. The network, the processes and the time are replaced by decisions of a
seed, so that a run of hours takes moments and a failed run can be repeated.
"""

from devtools.faults.simulated.many import Summary, run_many
from devtools.faults.simulated.run import Profile, Report, run_seed

__all__ = ["Profile", "Report", "Summary", "run_many", "run_seed"]
