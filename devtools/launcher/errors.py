"""Exceptions that end the launcher."""


class LaunchError(Exception):
    """The parts cannot be started or kept running; the text says why and what to do."""


class DemoError(LaunchError):
    """The parts run, but a step of the demo failed; the caller adds the logs."""


class ToldToEnd(Exception):
    """A signal arrived, or the process that started the launcher has ended."""
