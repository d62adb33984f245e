"""A job that kills the worker which takes it: the service's settings with one more app."""
