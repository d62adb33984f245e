"""What the API answers about instances, beside what ``lifecycle.representation`` shows."""

from typing import Annotated, Any, Self

from pydantic import Field

from core.answers import Answer, OneOf, page_of
from instances.api.messages import ACCEPTED_MESSAGE, CREATED_MESSAGE
from instances.domain.enums import InstanceStatus
from instances.lifecycle import credentials
from instances.lifecycle.credentials import Opened
from instances.lifecycle.representation import Event, InstanceDetails, Moment, Status
from instances.models import Instance
from instances.services import Created
from upstream.access import Access

InstanceList = page_of(
    "InstanceList", "A page of instances, newest first.", instances=InstanceDetails
)
EventList = page_of("EventList", "A page of events, oldest first.", events=Event)


class CreatedInstance(Answer):
    """The 201 answer."""

    instanceId: str
    status: Annotated[str, OneOf([InstanceStatus.CREATING.value])]
    message: str
    estimatedReadyTime: Moment

    @classmethod
    def of(cls, created: Created) -> Self:
        return cls(
            instanceId=created.instance.public_id,
            status=InstanceStatus.CREATING.value,
            message=CREATED_MESSAGE,
            estimatedReadyTime=created.estimated_ready_at,
        )


class AcceptedVerb(Answer):
    """The 202 answer: the verb is under way, or has come true already."""

    instanceId: str
    status: Status
    message: str

    @classmethod
    def of(cls, instance: Instance) -> Self:
        return cls(instanceId=instance.public_id, status=instance.status, message=ACCEPTED_MESSAGE)


class SshCredentials(Answer):
    """For a shell (``command``) and for programs."""

    command: str
    host: str | None = None
    port: int | None = None
    username: str | None = None
    password: str | None = None


class WebTerminalCredentials(Answer):
    """A shell in the browser."""

    url: str
    username: str | None = None
    password: str | None = None


class JupyterCredentials(Answer):
    """The address may carry the token that opens it."""

    url: str


class Credentials(Answer):
    """How to get into an instance; what its template does not offer is absent."""

    instanceId: str
    ssh: SshCredentials | None = None
    webTerminal: WebTerminalCredentials | None = None
    jupyter: JupyterCredentials | None = None
    updatedAt: Moment = Field(description="when Novita last said so")

    @classmethod
    def of(cls, instance: Instance, opened: Opened) -> Self:
        """Jupyter is Novita's tool of that name, or else what connectionDetails takes for it: a
        template may start its own.
        """
        access = opened.access
        jupyter = access.jupyter_url or instance.connection.get("jupyter")
        return cls(
            instanceId=instance.public_id,
            ssh=_ssh(access),
            webTerminal=_web_terminal(access),
            jupyter=JupyterCredentials(url=jupyter) if jupyter else None,
            updatedAt=opened.updated_at,
        )


def _ssh(access: Access) -> SshCredentials | None:
    if not access.ssh_command:
        return None
    target: dict[str, Any] = credentials.ssh_target(access.ssh_command)
    return SshCredentials(
        command=access.ssh_command, **target, password=access.ssh_password or None
    )


def _web_terminal(access: Access) -> WebTerminalCredentials | None:
    if not access.web_terminal_url:
        return None
    return WebTerminalCredentials(
        url=access.web_terminal_url,
        username=access.web_terminal_username or None,
        password=access.web_terminal_password or None,
    )
