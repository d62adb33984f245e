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
                    method, self.url + path, json=body, headers=headers, timeout=30
                )
            except (requests.ConnectionError, requests.Timeout):
                # It may have arrived: the key keeps it from being done twice.
                if is_last:
                    raise
                time.sleep(2**attempt)
                continue
            if answer.ok:
                return answer.json()
            error = ApiError(answer.status_code, error_of(answer))
            if is_last or not error.retryable:
                raise error
            time.sleep(float(answer.headers.get("Retry-After", 2**attempt)))
        raise AssertionError("unreachable")

    def create(self, **wish):
        return self.call("POST", "/api/instances", wish)["instanceId"]

    def get(self, instance_id):
        return self.call("GET", f"/api/instances/{instance_id}")

    def terminate(self, instance_id):
        return self.call("DELETE", f"/api/instances/{instance_id}")

    def wait(self, instance_id, *statuses, seconds=1800, pause=5):
        """The instance once it is in one of the statuses; RuntimeError if it cannot get there."""
        deadline = time.monotonic() + seconds
        seen = None
        while time.monotonic() < deadline:
            instance = self.get(instance_id)
            if instance["status"] != seen:
                seen = instance["status"]
                print(f"status {seen}", flush=True)
            if seen in statuses:
                return instance
            if seen in ("failed", "terminated"):
                raise RuntimeError(f"{instance_id} is {seen}: {instance.get('error', {})}")
            time.sleep(pause)
        raise TimeoutError(f"{instance_id} is still {seen} after {seconds} s")


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
