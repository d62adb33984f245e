"""Access to a running instance, for keys with a scope of its own."""

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.rest.authentication import caller_of
from accounts.scopes import Scope
from core.sealing import Unreadable
from instances.api.answers import Credentials
from instances.api.documentation import TAG
from instances.api.parameters import ID
from instances.api.views import Conflict, find_instance
from instances.lifecycle import credentials

_EXAMPLE = {
    "instanceId": "inst_9f86d081884c7d659a2feaa0",
    "ssh": {
        "command": "ssh -p 32787 root@proxy.us-ca-6.gpu-instance.novita.ai",
        "host": "proxy.us-ca-6.gpu-instance.novita.ai",
        "port": 32787,
        "username": "root",
        "password": "3f9a…",
    },
    "webTerminal": {
        "url": "https://4f6a-2222.us-ca-6.gpu-instance.novita.ai",
        "username": "root",
        "password": "3f9a…",
    },
    "jupyter": {"url": "https://4f6a-8888.us-ca-6.gpu-instance.novita.ai?token=…"},
    "updatedAt": "2023-12-01T10:04:30.000Z",
}


class CredentialsView(APIView):
    """Nothing else shows these: no list, event, webhook or log."""

    required_scopes = {"GET": Scope.CREDENTIALS}

    @extend_schema(
        operation_id="getInstanceCredentials",
        summary="Get SSH, web terminal and Jupyter access",
        description="Needs the scope `credentials`, which no other scope includes. Sealed at rest; "
        "409 INVALID_STATE until the instance has run, and again when it has been terminated. "
        "Jupyter is there if the template has the tool, or publishes port 8888; the token of one "
        "that the template starts itself is the template's.",
        tags=TAG,
        parameters=ID,
        responses={
            200: OpenApiResponse(Credentials, description="As Novita last told them."),
            409: OpenApiResponse(description="There are none (yet), or none that can be opened."),
        },
        examples=[OpenApiExample("Access", _EXAMPLE, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 - the path's own word
        instance = find_instance(caller_of(request), id)
        try:
            opened = credentials.read(instance)
        except Unreadable:
            raise Conflict(_UNREADABLE, code="INVALID_STATE") from None
        if opened is None:
            raise Conflict(
                f"The instance is {instance.status} and has no credentials.", code="INVALID_STATE"
            )
        return Response(Credentials.of(instance, opened).as_json())


_UNREADABLE = (
    "The credentials were sealed with a key that is not configured any more; the operator can add "
    "it to CREDENTIALS_KEYS."
)
