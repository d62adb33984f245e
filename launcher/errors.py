"""Why the launcher ends: it was told to, or something could not be started."""


class LaunchError(Exception):
    """The parts cannot be started or kept running; the text says why and what to do."""


class ToldToEnd(Exception):  # noqa: N818 - no error: somebody asked for it
    """A signal, or the end of the process that started the launcher."""
