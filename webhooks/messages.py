"""Messages that this app itself writes: about endpoints, and tests."""

from typing import Annotated

from pydantic import Field

from core.answers import Answer, Moment, OneOf


class EndpointFacts(Answer):
    """What a message says of an endpoint; the whole URL may hold a token."""

    id: str
    receiver: str = Field(description="scheme and host")
    instanceId: str | None = None
    failingSince: Moment | None = None
    reason: str | None = None
    error: str | None = None


class EndpointMessage(Answer):
    """A message about an endpoint, for the project's other endpoints."""

    type: Annotated[str, OneOf(("endpoint.disabled", "endpoint.failing", "endpoint.recovered"))]
    timestamp: Moment
    endpointId: str
    data: EndpointFacts


class TestFacts(Answer):
    """Which endpoint is tested."""

    endpointId: str
    text: str


class TestMessage(Answer):
    """A test message."""

    type: Annotated[str, OneOf(("webhook.test",))]
    timestamp: Moment
    data: TestFacts
