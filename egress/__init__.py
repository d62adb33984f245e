"""HTTP with a total deadline and limits on the cost of an answer: webhooks, probes, Novita.

Without Django. httpcore speaks HTTP; its network backend is ours (`network`). Timeouts of libraries
are per read, so a server that sends a byte now and then extends them without limit.
"""

# A test keeps this equal to the version in pyproject.toml.
USER_AGENT = "novitai/0.6.0"
