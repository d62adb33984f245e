"""Structured logs: a static event name plus fields, request id and job id bound to every line."""

import logging
from typing import Any

import structlog

SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

_SECURITY = "django.security."
# Longest value, and longest line of a traceback, in characters.
_MOST_CHARACTERS = 500


class RefusalsInOneLine(logging.Filter):
    """Rewrites the log lines of requests that Django refuses, such as a wrong Host. The line says
    the kind of error and never the sent value, which may be an API key.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith(_SECURITY):
            record.msg, record.args = _refusal(record), ()
            record.exc_info = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def _refusal(record: logging.LogRecord) -> str:
    kind = record.name.removeprefix(_SECURITY)
    if kind == "DisallowedHost":
        host = getattr(getattr(record, "request", None), "META", {}).get("HTTP_HOST", "")
        return f"request refused: {kind}, a Host header of {len(host)} characters"
    if kind == "csrf" and isinstance(record.args, tuple) and record.args:
        # After the dash, Django repeats the Origin or Referer.
        return f"request refused: {kind}, {str(record.args[0]).partition(' - ')[0]}"
    return f"request refused: {kind}"


def cut_long_values(
    _: Any, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Cuts long values: they may come from outside, also within the message of an exception."""
    for name, value in event.items():
        if name == "exception" and isinstance(value, str):
            event[name] = "\n".join(map(_cut, value.splitlines()))
        else:
            event[name] = _cut(value)
    return event


def _cut(value: Any) -> Any:
    """Cuts each text of lists and dicts."""
    if isinstance(value, dict):
        return {_cut(name): _cut(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(each) for each in value]
    if not isinstance(value, str) or len(value) <= _MOST_CHARACTERS:
        return value
    return f"{value[:_MOST_CHARACTERS]}… ({len(value)} characters)"


def logging_config(*, level: str, style: str) -> dict[str, Any]:
    """Configure structlog and return Django's LOGGING; all loggers write the same format.

    Lines go to stderr; stdout is for the output of commands.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_renderers(style),
                ],
                "foreign_pre_chain": SHARED,
            }
        },
        "filters": {"refusals": {"()": RefusalsInOneLine}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "structured",
                "filters": ["refusals"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # The service's own middleware logs each request once, with its id and duration.
            "django.request": {"level": "CRITICAL"},
            "django.server": {"level": "WARNING"},
            # Warns of every request that is none; strangers could fill the log.
            "uvicorn.error": {"level": "ERROR"},
            # Each log-in has a line of our own (accounts/console/logins.py).
            "axes": {"level": "ERROR"},
            "django-q": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
        },
    }


def _renderers(style: str) -> list[structlog.typing.Processor]:
    if style == "console":
        # A traceback that is a text already: the renderer's own prints local variables, and with
        # them keys and payloads.
        renderer = structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
        return [structlog.processors.format_exc_info, cut_long_values, renderer]
    return [
        structlog.processors.format_exc_info,
        cut_long_values,
        structlog.processors.JSONRenderer(),
    ]
