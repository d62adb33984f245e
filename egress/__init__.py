"""HTTP with a total deadline and a body cap, shared by the upstream client and the webhook sender.

Django-free. Built on `requests`, whose own timeout is per read: a server that sends a byte now
and then stretches it without limit.
"""

# A test keeps this equal to the version in pyproject.toml.
USER_AGENT = "novitai/0.6.0"
