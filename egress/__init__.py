"""HTTP with a total deadline and limits on what an answer may cost: webhooks, probes, Novita.

Django-free. httpcore speaks HTTP; the network under it is ours (`network`). The timeouts of
libraries are per read: a server that sends a byte now and then stretches them without limit.
"""

# A test keeps this equal to the version in pyproject.toml.
USER_AGENT = "novitai/0.6.0"
