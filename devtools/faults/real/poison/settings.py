"""The service's settings, and the poison job type."""

from novitai.settings import *  # noqa: F403
from novitai.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "devtools.faults.real.poison.apps.PoisonConfig"]
