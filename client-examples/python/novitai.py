"""A small client: what every call needs, in one place. Needs `requests` only."""

import os
import time
import uuid

import requests

RETRIES = 5


class ApiError(Exception):
    """The service refused; `code` is stable, the message is for people."""

    def __init__(self, status, error):
        super().__init__(
            f"{status} {error.get('code')}: {error.get('message')}"
            f" (request {error.get('requestId')}) {error.get('suggestion', '')}"
        )
        self.code = error.get("code")
        self.retryable = error.get("retryable", False)


class Novitai:
    """Retries what is worth retrying, always with the same Idempotency-Key."""

    def __init__(self, url=None, key=None):
        self.url = (url or os.environ["NOVITAI_URL"]).rstrip("/")
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key or os.environ['NOVITAI_API_KEY']}"

    def call(self, method, path, body=None):
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        for attempt in range(RETRIES + 1):
            is_last = attempt == RETRIES
            try:
                answer = self.session.request(
                    method, self.url + path, json=body, headers=headers, timeout=60
                )
            except (requests.ConnectionError, requests.Timeout):
                # It may have arrived: the key keeps it from being done twice.
                if is_last:
                    raise
                time.sleep(2**attempt)
                continue
            if answer.ok:
                return answer.json() if answer.content else None
            error = ApiError(answer.status_code, error_of(answer))
            if is_last or not error.retryable:
                raise error
            time.sleep(float(answer.headers.get("Retry-After", 2**attempt)))
        raise AssertionError("unreachable")

    def create(self, **body):
        return self.call("POST", "/api/instances", body)["instanceId"]

    def create_endpoint(self, url, event_types):
        return self.call("POST", "/api/webhooks", {"url": url, "eventTypes": event_types})

    def delete_endpoint(self, endpoint_id):
        return self.call("DELETE", f"/api/webhooks/{endpoint_id}")

    def get(self, instance_id):
        return self.call("GET", f"/api/instances/{instance_id}")

    def terminate(self, instance_id):
        return self.call("DELETE", f"/api/instances/{instance_id}")

    def wait(self, instance_id, status, seconds=1800):
        """The instance once it got there; RuntimeError if it never will. The service tells at once:
        nobody has to ask again and again.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            instance = self.call(
                "GET", f"/api/instances/{instance_id}/wait?status={status}&timeout=30"
            )
            print(f"status {instance['status']}", flush=True)
            if instance["reached"]:
                return instance
            if instance["waitResult"] == "unreachable":
                raise RuntimeError(
                    f"{instance_id} is {instance['status']}: {instance.get('error', {})}"
                )
        raise TimeoutError(f"{instance_id} is not {status} after {seconds} s")


def error_of(answer):
    """A proxy in between may answer in its own words."""
    try:
        return answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {
            "code": "UNKNOWN",
            "message": answer.text[:200],
            "retryable": answer.status_code in (429, 502, 503, 504),
        }
