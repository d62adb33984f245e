"""OpenAPI documentation of the operations on webhooks."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from webhooks.api import examples
from webhooks.api.answers import (
    DeliveryDetails,
    DeliveryList,
    DeliveryWithAttempts,
    EndpointDetails,
    EndpointList,
    EndpointStats,
    Feed,
    NewEndpoint,
    ReplayDetails,
    ReplayList,
    SigningSecret,
    TestResult,
)
from webhooks.api.filters import DeliveryFilter, EndpointFilter, FeedFilter, TestQuery
from webhooks.api.serializers import (
    CreateEndpoint,
    RotateSecret,
    StartReplay,
    UpdateEndpoint,
)

TAG = ["Webhooks"]
_ENDPOINT_ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="ep_…")
_DELIVERY_ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="dlv_…")
_REPLAY_ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="rpl_…")
_INSTANCE_ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="inst_…")


def _example(name: str, value: Any, status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True, status_codes=[str(status)])


def _page(rows_name: str, row: Any) -> OpenApiExample:
    return _example("A page", {rows_name: [row], "total": 1, "hasMore": False})


LIST: dict[str, Any] = {
    "operation_id": "listWebhookEndpoints",
    "summary": "List webhook endpoints, newest first",
    "description": "Those made over the API; with `instanceId` also the one of its `webhookUrl`.",
    "tags": TAG,
    "parameters": [EndpointFilter],
    "responses": {200: OpenApiResponse(EndpointList, description="A page.")},
    "examples": [_page("endpoints", examples.ENDPOINT)],
}
CREATE: dict[str, Any] = {
    "operation_id": "createWebhookEndpoint",
    "summary": "Create a webhook endpoint",
    "description": "It gets a signed message for each event of the project. The answer has the "
    "secret, which is never shown again; see *Webhooks* for what is sent.",
    "tags": TAG,
    "request": CreateEndpoint,
    "responses": {
        201: OpenApiResponse(NewEndpoint, description="Created, with its secret."),
        404: OpenApiResponse(
            description="INSTANCE_NOT_FOUND: it is not an instance of the project."
        ),
    },
    "examples": [
        OpenApiExample("An endpoint", examples.CREATE, request_only=True),
        _example("An endpoint", examples.NEW_ENDPOINT, 201),
    ],
}
RETRIEVE: dict[str, Any] = {
    "operation_id": "getWebhookEndpoint",
    "summary": "Get a webhook endpoint",
    "description": "Its health is in `failingSince`, `lastError` and `disabledReason`.",
    "tags": TAG,
    "parameters": [_ENDPOINT_ID],
    "responses": {200: OpenApiResponse(EndpointDetails, description="As it is now.")},
    "examples": [_example("An endpoint", examples.ENDPOINT)],
}
UPDATE: dict[str, Any] = {
    "operation_id": "updateWebhookEndpoint",
    "summary": "Change, disable or enable a webhook endpoint",
    "description": "A merge patch: what is not named stays. Messages that wait go to the new URL; "
    "enabling sends them at once. With a URL of another host, headers and basic auth must be given "
    "again.",
    "tags": TAG,
    "parameters": [_ENDPOINT_ID],
    "request": UpdateEndpoint,
    "responses": {200: OpenApiResponse(EndpointDetails, description="Changed.")},
    "examples": [
        OpenApiExample("Enable it", {"enabled": True}, request_only=True),
        _example("An endpoint", examples.ENDPOINT),
    ],
}
DELETE: dict[str, Any] = {
    "operation_id": "deleteWebhookEndpoint",
    "summary": "Delete a webhook endpoint",
    "description": "Messages that wait for it are cancelled; its deliveries stay readable by id.",
    "tags": TAG,
    "parameters": [_ENDPOINT_ID],
    "responses": {204: OpenApiResponse(description="It is deleted.")},
}
ROTATE: dict[str, Any] = {
    "operation_id": "rotateWebhookSecret",
    "summary": "Replace the secret of a webhook endpoint",
    "description": "For `overlapHours` (24) every message carries the signatures of both secrets, "
    "so that the receiver can change at any time within it. 0 is for a secret that has leaked.",
    "tags": TAG,
    "parameters": [_ENDPOINT_ID],
    "request": RotateSecret,
    "responses": {200: OpenApiResponse(NewEndpoint, description="With its new secret.")},
    "examples": [
        OpenApiExample("At once", {"overlapHours": 0}, request_only=True),
        _example("An endpoint", examples.NEW_ENDPOINT),
    ],
}
TEST: dict[str, Any] = {
    "operation_id": "testWebhookEndpoint",
    "summary": "Send a test message",
    "description": "A worker sends a signed `webhook.test` at once, also to a disabled endpoint. "
    "Answers when the receiver has answered, or with 202 when that takes longer than `timeout`.",
    "tags": TAG,
    "parameters": [_ENDPOINT_ID, TestQuery],
    "request": None,
    "responses": {
        200: OpenApiResponse(TestResult, description="What the receiver answered."),
        202: OpenApiResponse(TestResult, description="Under way: see the delivery."),
    },
    "examples": [
        _example("Received", examples.TEST_RESULT),
        _example("Under way", {"deliveryId": examples.DELIVERY["id"]}, 202),
    ],
}
STATS: dict[str, Any] = {
    "operation_id": "getWebhookEndpointStats",
    "summary": "Get the figures of a webhook endpoint",
    "description": "Attempts, success and durations of 24 hours and 7 days, and what waits.",
    "tags": TAG,
    "parameters": [_ENDPOINT_ID],
    "responses": {200: OpenApiResponse(EndpointStats, description="As of now.")},
    "examples": [_example("Figures", examples.STATS)],
}
DELIVER_NOW: dict[str, Any] = {
    "operation_id": "deliverWaitingWebhooks",
    "summary": "Send everything that waits for a retry now",
    "description": "In order: of each instance the first message that waits, then the others.",
    "tags": TAG,
    "parameters": [_ENDPOINT_ID],
    "request": None,
    "responses": {202: OpenApiResponse(EndpointDetails, description="Due now.")},
    "examples": [_example("An endpoint", examples.ENDPOINT, 202)],
}
SIGNING_SECRET: dict[str, Any] = {
    "operation_id": "getWebhookSigningSecret",
    "summary": "Get the secret that signs messages to a webhookUrl",
    "description": "Needs the scope `admin`. Endpoints made here have secrets of their own.",
    "tags": TAG,
    "responses": {200: OpenApiResponse(SigningSecret, description="The present secret.")},
    "examples": [_example("A secret", examples.SIGNING_SECRET)],
}
ROTATE_SIGNING_SECRET: dict[str, Any] = {
    "operation_id": "rotateWebhookSigningSecret",
    "summary": "Replace the secret that signs messages to a webhookUrl",
    "description": "Needs the scope `admin`. Both secrets sign until the overlap is over.",
    "tags": TAG,
    "request": RotateSecret,
    "responses": {200: OpenApiResponse(SigningSecret, description="The new secret.")},
    "examples": [
        OpenApiExample("A day", {"overlapHours": 24}, request_only=True),
        _example("A secret", examples.SIGNING_SECRET),
    ],
}
ENDPOINT_DELIVERIES: dict[str, Any] = {
    "operation_id": "listWebhookDeliveries",
    "summary": "List the deliveries of a webhook endpoint, newest first",
    "description": "`isBehind` marks messages that wait for an earlier one of their instance.",
    "tags": TAG,
    "parameters": [_ENDPOINT_ID, DeliveryFilter],
    "responses": {200: OpenApiResponse(DeliveryList, description="A page.")},
    "examples": [_page("deliveries", examples.DELIVERY)],
}
INSTANCE_DELIVERIES: dict[str, Any] = {
    "operation_id": "listInstanceDeliveries",
    "summary": "List the deliveries about an instance, newest first",
    "description": "To all endpoints, the one of its `webhookUrl` included.",
    "tags": TAG,
    "parameters": [_INSTANCE_ID, DeliveryFilter],
    "responses": {200: OpenApiResponse(DeliveryList, description="A page.")},
    "examples": [_page("deliveries", examples.DELIVERY)],
}
DELIVERY: dict[str, Any] = {
    "operation_id": "getWebhookDelivery",
    "summary": "Get a delivery with its message and attempts",
    "description": "Each attempt with time, duration, status, error and the start of the answer.",
    "tags": TAG,
    "parameters": [_DELIVERY_ID],
    "responses": {200: OpenApiResponse(DeliveryWithAttempts, description="As it is now.")},
    "examples": [_example("A delivery", examples.DELIVERY_WITH_ATTEMPTS)],
}
REDELIVER: dict[str, Any] = {
    "operation_id": "redeliverWebhook",
    "summary": "Send a message again, or now if it waits",
    "description": "It keeps its `webhook-id`. A message that is sent again does not wait for "
    "others, and others do not wait for it.",
    "tags": TAG,
    "parameters": [_DELIVERY_ID],
    "request": None,
    "responses": {202: OpenApiResponse(DeliveryDetails, description="It is sent now.")},
    "examples": [_example("A delivery", examples.DELIVERY, 202)],
}
CANCEL_DELIVERY: dict[str, Any] = {
    "operation_id": "cancelWebhookDelivery",
    "summary": "Do not send a message that waits",
    "description": "The next message of its instance is sent. It can be redelivered later.",
    "tags": TAG,
    "parameters": [_DELIVERY_ID],
    "request": None,
    "responses": {202: OpenApiResponse(DeliveryDetails, description="It is not sent.")},
    "examples": [_example("A delivery", examples.DELIVERY, 202)],
}
REPLAY: dict[str, Any] = {
    "operation_id": "replayWebhooks",
    "summary": "Send the messages of a time range again",
    "description": "Oldest first and a few at a time, beside new messages, with their former ids. "
    "Includes messages that the endpoint never got, e.g. from before it was made. While a replay "
    "of the same range runs, that one is answered.",
    "tags": TAG,
    "parameters": [_ENDPOINT_ID],
    "request": StartReplay,
    "responses": {202: OpenApiResponse(ReplayDetails, description="It has begun.")},
    "examples": [
        OpenApiExample("What failed today", examples.START_REPLAY, request_only=True),
        _example("A replay", examples.REPLAY, 202),
    ],
}
LIST_REPLAYS: dict[str, Any] = {
    "operation_id": "listWebhookReplays",
    "summary": "List replays, newest first",
    "description": "Of all endpoints of the project, with their progress.",
    "tags": TAG,
    "responses": {200: OpenApiResponse(ReplayList, description="A page.")},
    "examples": [_page("replays", examples.REPLAY)],
}
GET_REPLAY: dict[str, Any] = {
    "operation_id": "getWebhookReplay",
    "summary": "Get a replay and its progress",
    "description": "`queued` counts the messages taken so far; once `completed`, none is pending.",
    "tags": TAG,
    "parameters": [_REPLAY_ID],
    "responses": {200: OpenApiResponse(ReplayDetails, description="As it is now.")},
    "examples": [_example("A replay", examples.REPLAY)],
}
CANCEL_REPLAY: dict[str, Any] = {
    "operation_id": "cancelWebhookReplay",
    "summary": "Stop a replay",
    "description": "What it has queued and not sent is cancelled. Asking again changes nothing.",
    "tags": TAG,
    "parameters": [_REPLAY_ID],
    "request": None,
    "responses": {200: OpenApiResponse(ReplayDetails, description="It has ended.")},
    "examples": [_example("A replay", {**examples.REPLAY, "status": "cancelled"})],
}
FEED: dict[str, Any] = {
    "operation_id": "listEvents",
    "summary": "Poll the project's messages",
    "description": "The same messages as webhooks, oldest first, for those who cannot receive. "
    "Keep `nextCursor` and pass it as `cursor` the next time: nothing is missed or repeated.",
    "tags": ["Events"],
    "parameters": [FeedFilter],
    "responses": {200: OpenApiResponse(Feed, description="What came after the cursor.")},
    "examples": [_example("One message", examples.FEED)],
}
