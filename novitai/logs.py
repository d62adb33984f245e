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


class RefusalsInOneLine(logging.Filter):
    """What Django takes for suspicious, such as a Host that is none, is a caller's mistake: the
    line says what it was, and a traceback would tell nothing but the way into Django.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security."):
            record.exc_info = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def logging_config(*, level: str, style: str) -> dict[str, Any]:
    """Configure structlog and return Django's LOGGING; every line, whoever wrote it, looks alike.

    Lines go to stderr: stdout belongs to what a command answers.
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
            # Our own middleware logs each request once, with its id and duration.
            "django.request": {"level": "CRITICAL"},
            "django.server": {"level": "WARNING"},
            # Warns of every answer to HEAD; gunicorn drops the body by itself.
            "gunicorn.http.wsgi": {"level": "ERROR"},
            "django-q": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
        },
    }


def _renderers(style: str) -> list[structlog.typing.Processor]:
    if style == "console":
        # Plain: the default prints local variables, and with them keys and payloads.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
