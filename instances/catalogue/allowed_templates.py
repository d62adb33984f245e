"""Which templates a project may see and use.

Private templates belong to the account at Novita: their images are pulled with its registry
credentials, and their environment ends up in machines to which the project's users log in.
"""

from accounts.models import Project
from instances.domain.enums import FailureCode
from instances.domain.types import Failure
from upstream.types import Template

# Novita's channels that are open to everybody; every other word counts as private.
_PUBLIC = ("official", "community")


def may_use(project: Project, template_id: str, channel: str) -> bool:
    """``project.private_templates`` None: all private templates, as before 0.6.0."""
    allowed = project.private_templates
    is_public = channel.strip().lower() in _PUBLIC
    return is_public or allowed is None or template_id in allowed


def refusal(project: Project, template: Template) -> Failure | None:
    """The same failure as for an unknown template, so that a project cannot detect private ones."""
    if may_use(project, template.id, template.channel):
        return None
    return no_such_template(template.id)


def no_such_template(template_id: str) -> Failure:
    message = f"Novita has no template {template_id} that this account may use."
    return Failure(FailureCode.TEMPLATE_NOT_FOUND, message)
