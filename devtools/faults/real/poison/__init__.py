"""A job that kills the worker that runs it: the service's settings with one more app."""
