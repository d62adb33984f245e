"""Reading a template that the cache does not hold, and what it needs to be used."""

from instances.choices import FailureCode
from instances.novita.client import NovitaClient
from instances.novita.errors import TemplateNotFound
from instances.novita.types import Template
from instances.types import Failure

# The template, the registry auths.
MOST_CALLS = 2


def read_template(client: NovitaClient, template_id: str) -> tuple[Template | None, Failure | None]:
    """The template, or why nothing can be made of it. Touches the network; raises NovitaError."""
    try:
        template = client.get_template(template_id)
    except TemplateNotFound:
        message = f"Novita has no template {template_id} that this account may use."
        return None, Failure(FailureCode.TEMPLATE_NOT_FOUND, message)
    auth_id = template.image_auth_id
    if auth_id and auth_id not in {auth.id for auth in client.list_registry_auths()}:
        message = (
            f"Template {template_id} needs the registry credentials {auth_id}, "
            "which this Novita account does not have."
        )
        return None, Failure(FailureCode.REGISTRY_AUTH_NOT_FOUND, message)
    return template, None
