"""Examples of the OpenAPI document."""

from typing import Any

CREATE: dict[str, Any] = {
    "url": "https://myapp.com/webhooks/gpu",
    "eventTypes": ["instance.running", "instance.failed"],
    "description": "orders service",
}
ENDPOINT: dict[str, Any] = {
    "id": "ep_7d793037a0760186574b0282",
    "kind": "project",
    "receiver": "https://myapp.com",
    "eventTypes": ["instance.running", "instance.failed"],
    "signature": "v1",
    "payloadVersion": 1,
    "onBacklog": "all",
    "enabled": True,
    "headerNames": [],
    "hasBasicAuth": False,
    "createdAt": "2023-12-01T09:00:00.000Z",
    "description": "orders service",
    "lastSuccessAt": "2023-12-01T10:04:30.000Z",
}
NEW_ENDPOINT: dict[str, Any] = {
    **{name: value for name, value in ENDPOINT.items() if name != "lastSuccessAt"},
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}
SIGNING_SECRET = {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
DELIVERY: dict[str, Any] = {
    "id": "dlv_3b0c44298fc1c149afbf4c89",
    "messageId": "msg_5d41402abc4b2a76b9719d91",
    "endpointId": ENDPOINT["id"],
    "type": "instance.running",
    "status": "delivered",
    "attempts": 1,
    "createdAt": "2023-12-01T10:04:30.000Z",
    "instanceId": "inst_12345_abcde",
    "endedAt": "2023-12-01T10:04:30.080Z",
    "lastStatusCode": 200,
}
_BODY: dict[str, Any] = {
    "type": "instance.running",
    "timestamp": "2023-12-01T10:04:30.000Z",
    "eventId": "evt_3b0c44298fc1c149afbf4c89",
    "sequence": 3,
    "instanceId": "inst_12345_abcde",
    "status": "running",
    "elapsedTime": 270000,
    "data": {"id": "inst_12345_abcde", "status": "running"},
}
DELIVERY_WITH_ATTEMPTS: dict[str, Any] = {
    **DELIVERY,
    "message": _BODY,
    "history": [
        {
            "number": 1,
            "startedAt": "2023-12-01T10:04:30.010Z",
            "durationMs": 70,
            "delivered": True,
            "statusCode": 200,
            "answer": "ok",
            "address": "203.0.113.7:443",
        }
    ],
}
TEST_RESULT = {
    "deliveryId": DELIVERY["id"],
    "delivered": True,
    "statusCode": 200,
    "durationMs": 70,
    "answer": "ok",
}
STATS: dict[str, Any] = {
    "periods": [
        {
            "hours": 24,
            "attempts": 120,
            "delivered": 118,
            "successRate": 0.983,
            "p50Ms": 70,
            "p95Ms": 240,
        }
    ],
    "pending": 0,
    "lastSuccessAt": "2023-12-01T10:04:30.000Z",
}
START_REPLAY = {"since": "2023-12-01T00:00:00.000Z", "onlyFailed": True}
REPLAY: dict[str, Any] = {
    "id": "rpl_9b74c9897bac770ffc029102",
    "endpointId": ENDPOINT["id"],
    "status": "running",
    "since": "2023-12-01T00:00:00.000Z",
    "until": "2023-12-01T10:30:00.000Z",
    "types": [],
    "onlyFailed": True,
    "queued": 40,
    "delivered": 31,
    "pending": 9,
    "failed": 0,
    "createdAt": "2023-12-01T10:30:00.000Z",
}
FEED: dict[str, Any] = {
    "events": [
        {
            "id": DELIVERY["messageId"],
            "type": "instance.running",
            "createdAt": "2023-12-01T10:04:30.000Z",
            "message": _BODY,
            "instanceId": "inst_12345_abcde",
        }
    ],
    "hasMore": False,
    "nextCursor": "gAAAAABla1...",
}
