"""Reads a template, and checks its registry credentials, for a cache that lacks it."""

import re

from instances.catalogue.allowed_templates import no_such_template
from instances.domain.enums import FailureCode
from instances.domain.types import Failure
from upstream.client import NovitaClient
from upstream.errors import TemplateNotFound
from upstream.types import Template

_USER_AND_PASSWORD = re.compile(r"[^\s:]+:\S.{0,10000}", re.DOTALL)
# Ids at Novita are UUIDs or short numbers.
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{1,12}", re.IGNORECASE)

# Template and registry auths.
MOST_CALLS = 2


def read_template(client: NovitaClient, template_id: str) -> tuple[Template | None, Failure | None]:
    """The template, or why it cannot be used. Calls Novita; raises NovitaError."""
    try:
        template = client.get_template(template_id)
    except TemplateNotFound:
        return None, no_such_template(template_id)
    failure = _auth_failure(client, template)
    return (None, failure) if failure else (template, None)


def _auth_failure(client: NovitaClient, template: Template) -> Failure | None:
    """Failure for unusable registry credentials; ``user:password`` is used unchecked.

    The message contains an unknown value only if it is certainly an id: it may be a password in the
    wrong field.
    """
    code, auth_id = FailureCode.REGISTRY_AUTH_NOT_FOUND, template.image_auth_id
    if template.image_auth and not _USER_AND_PASSWORD.fullmatch(template.image_auth):
        message = (
            f"Template {template.id} holds registry credentials that are neither the id of stored "
            "ones nor user:password."
        )
        return Failure(code, message)
    if not auth_id or auth_id in {auth.id for auth in client.list_registry_auths()}:
        return None
    named = f"registry credentials {auth_id}" if _ID.fullmatch(auth_id) else "registry credentials"
    message = f"Template {template.id} needs {named}, which this Novita account does not have."
    return Failure(code, message)
