"""The HTTP side of jobs: to look at, to retry, to cancel."""
