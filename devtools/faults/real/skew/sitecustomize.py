"""On the path of a process whose clock is to be wrong: Python imports this before all else.

Only the clock of the day is moved, by CLOCK_OFF_SECONDS; it runs on at its usual pace.
"""

import os
import time

import time_machine

time_machine.travel(time.time() + float(os.environ["CLOCK_OFF_SECONDS"]), tick=True).start()
