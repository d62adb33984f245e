"""Actions on instances for the API, the admin and commands: one transaction each, no network.

Lock order: job rows (by the executor), then the instance, then the rows that belong to it.
"""

from instances.services.again import create_again, made_from
from instances.services.create import Created, create_instance
from instances.services.limits import set_project_limits
from instances.services.plan import Objection, Plan, plan_instance
from instances.services.power_actions import restart_instance, start_instance, stop_instance
from instances.services.templates import find_template
from instances.services.terminate import made_by, terminate_all, terminate_instance, to_be_ended
from instances.services.update import update_instance

__all__ = [
    "Created",
    "Objection",
    "Plan",
    "create_again",
    "create_instance",
    "find_template",
    "made_by",
    "made_from",
    "plan_instance",
    "restart_instance",
    "set_project_limits",
    "start_instance",
    "stop_instance",
    "terminate_all",
    "terminate_instance",
    "to_be_ended",
    "update_instance",
]
