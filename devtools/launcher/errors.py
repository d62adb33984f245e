"""Why the launcher ends: it was told to, or something could not be started."""


class LaunchError(Exception):
    """The parts cannot be started or kept running; the text says why and what to do."""


class DemoError(LaunchError):
    """The parts run, but the story did not end well; the logs are to be added."""


class ToldToEnd(Exception):
    """A signal, or the end of the process that started the launcher."""
