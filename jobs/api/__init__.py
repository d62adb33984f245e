"""The HTTP side of jobs: to look at."""
