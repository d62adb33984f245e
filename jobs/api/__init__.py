"""The HTTP API of jobs: list, read, retry, cancel, statistics."""
