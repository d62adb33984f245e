"""One module per job type; each is load, talk, apply."""


def register_job_types() -> None:
    """Tell the queue which handlers there are; called once when Django is ready."""
