"""What log lines must not say."""

import logging

import structlog

from novitai.logs import logging_config


def test_tracebacks_of_the_console_show_no_local_variables() -> None:
    formatter = logging_config(level="INFO", style="console")["formatters"]["structured"]
    made = structlog.stdlib.ProcessorFormatter(
        processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"]
    )
    try:
        password = "".join(["hunter", "2"])
        raise RuntimeError(len(password))
    except RuntimeError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "it broke", None, info)
    text = made.format(record)
    assert "RuntimeError: 7" in text
    assert "hunter2" not in text
