"""What is read from the load generators, and what the page says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools.benchmarks.http import report, wrk
from devtools.benchmarks.http.measure import FLOOR, GET, LIST, OURS, PEER, POST
from devtools.benchmarks.http.statements import AS_PGBENCH
from devtools.benchmarks.remote import BenchError

SAID = """\
Running 4s test @ http://127.0.0.1:1/api/instances
  1 threads and 16 connections
  Latency Distribution
     50%  950.00us
     75%   24.40ms
     90%   33.56ms
     99%    1.02s
  4236 requests in 4.00s, 1.31MB read
  Non-2xx or 3xx responses: 7
Requests/sec:   1058.21
Transfer/sec:    334.79KB
"""


def test_a_report_of_wrk_is_read() -> None:
    assert wrk.parse(SAID) == pytest.approx((1058.21, 0.95, 1020.0, 7))


@pytest.mark.parametrize("text", ["", "unable to connect to 127.0.0.1", "Requests/sec: 1"])
def test_what_is_no_report_is_an_error(text: str) -> None:
    with pytest.raises(BenchError, match="wrk said"):
        wrk.parse(text)


def test_a_request_of_wrk_carries_key_and_body(tmp_path: Path) -> None:
    text = wrk.script(tmp_path, "nvt_k", '{"name": "a"}').read_text()
    assert "Bearer nvt_k" in text
    assert 'wrk.body = [[{"name": "a"}]]' in text
    assert "POST" not in wrk.script(tmp_path, "nvt_k").read_text()


def test_the_floor_is_one_transaction_with_nothing_left_to_fill_in() -> None:
    assert AS_PGBENCH.count("INSERT INTO") == 3
    assert AS_PGBENCH.count("BEGIN;") == AS_PGBENCH.count("COMMIT;") == 1
    assert "%" not in AS_PGBENCH


def figures(**rates: list[float]) -> dict[str, object]:
    rows = [
        {"who": who, "what": what, "rate": rate, "p50_ms": 1.0, "p99_ms": 2.0, "errors": 0}
        for who, measured in rates.items()
        for what in ((POST,) if who == FLOOR else (POST, GET, LIST))
        for rate in measured
    ]
    about = {"date": "2026-01-01", "machine": {"processor": "a machine"}, "rounds": 2}
    about |= {"seconds": 1, "connections": 16, "processes": 2}
    return {**about, "figures": rows}


def test_the_page_tells_ratios_and_what_was_missed(tmp_path: Path) -> None:
    found = figures(**{OURS: [100.0, 90.0], PEER: [200.0, 60.0], FLOOR: [300.0]})
    text = report.write(found, tmp_path).read_text()
    assert "| POST | 1.00 (0.50 to 1.50) | ≥ 1.0: met |" in text
    found = figures(**{OURS: [100.0], PEER: [200.0], FLOOR: [300.0]})
    assert "| GET one | 0.50 (0.50 to 0.50) | ≥ 1.0: missed |" in report.measured(found)
    assert "| GET list | 0.50 (0.50 to 0.50) | none |" in report.measured(found)


def test_what_people_wrote_around_the_figures_stays(tmp_path: Path) -> None:
    found = figures(**{OURS: [1.0], PEER: [2.0], FLOOR: [3.0]})
    page = report.write(found, tmp_path)
    page.write_text(page.read_text() + "\nWhere the time goes.\n")
    assert report.write(found, tmp_path).read_text().endswith("\nWhere the time goes.\n")
