"""Authentication by ``Authorization: Bearer KEY``."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from accounts.models import ApiKey, Project
from accounts.rest import last_used
from accounts.services import find_api_key

KEY_REFUSED = "The API key is not valid."


@dataclass(frozen=True)
class Caller:
    """The API key of a request, which acts for its project. It is ``request.user``."""

    api_key: ApiKey
    is_authenticated: bool = True
    # time.monotonic() when the key was found
    found: float = field(default_factory=time.monotonic)

    @property
    def project(self) -> Project:
        return self.api_key.project

    def database_now(self) -> datetime:
        """Database time without another query: the database's time when the key was found, plus
        the time that has passed in this process since. Reading a body may take long.
        """
        found_at: datetime = vars(self.api_key)["found_at"]
        return found_at + timedelta(seconds=time.monotonic() - self.found)

    @property
    def actor(self) -> str:
        """The actor written into events and audit entries."""
        return f"key:{self.api_key.public_id}"


class ApiKeyAuthentication(BaseAuthentication):
    """Finds the caller of a request by its bearer key.

    A missing header is refused by the permission class. A wrong key is refused here; the answer
    does not say whether it is unknown, expired or revoked.
    """

    def authenticate(self, request: Request) -> tuple[Caller, ApiKey] | None:
        scheme, _, credentials = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        api_key = find_api_key(credentials.strip().decode("latin-1"))
        if api_key is None:
            raise AuthenticationFailed(KEY_REFUSED)
        last_used.note(api_key)
        return Caller(api_key), api_key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="novitai"'


def caller_of(request: Request) -> Caller:
    """The caller; the permission has refused requests without a key."""
    caller = request.user
    if not isinstance(caller, Caller):
        raise NotAuthenticated
    return caller
