"""What log lines must not say."""

import logging

import pytest
import structlog

from novitai.monitoring.logs import logging_config


def formatter_of(style: str) -> structlog.stdlib.ProcessorFormatter:
    formatter = logging_config(level="INFO", style=style)["formatters"]["structured"]
    return structlog.stdlib.ProcessorFormatter(
        processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"]
    )


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("part", ["a", "\n", "\x1b[31m", "\u2028", "\ud800", "\x00"])
def test_a_value_from_outside_is_cut_and_makes_no_line_of_its_own(style: str, part: str) -> None:
    event = {"event": "refused", "value": part * 1_000_000, "nested": {"value": [part * 1_000_000]}}
    record = logging.LogRecord("x", logging.WARNING, "x.py", 1, event, None, None)
    record._from_structlog = True
    record._logger, record._name = None, "x"
    text = formatter_of(style).format(record)
    assert len(text.encode("utf-8", "backslashreplace")) < 12_000
    assert not set(text) & {"\n", "\x1b", "\u2028", "\x00"}


def test_tracebacks_of_the_console_show_no_local_variables() -> None:
    made = formatter_of("console")
    try:
        password = "".join(["hunter", "2"])
        raise RuntimeError(len(password))
    except RuntimeError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "it broke", None, info)
    text = made.format(record)
    assert "RuntimeError: 7" in text
    assert "hunter2" not in text
