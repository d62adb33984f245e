"""Where the client calls in tests, as whom, and what it asks for."""

from __future__ import annotations

from upstream.client import DEFAULT_BASE_URL
from upstream.types import CreateRequest, EnvVar

# What `responses` replaces: the client's transport adapter.
SEND = "upstream.adapter.DeadlineAdapter.send"
BASE = DEFAULT_BASE_URL
KEY = "sk_test-key-0123"
CREATE_REQUEST = CreateRequest(
    "n", "4090.16c62g", 1, 60, "img", envs=(EnvVar("TOKEN", "hush-hush"),)
)


def sent(upstream, index=-1):
    return upstream.calls[index].request
