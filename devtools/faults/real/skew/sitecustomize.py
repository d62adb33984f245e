"""Python imports this first in a process that has this folder on its path.

It moves only the wall clock, by CLOCK_OFF_SECONDS; the clock runs at its usual speed.
"""

import os
import time

import time_machine

time_machine.travel(time.time() + float(os.environ["CLOCK_OFF_SECONDS"]), tick=True).start()
