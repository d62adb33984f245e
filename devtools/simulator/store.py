"""Durable state: records as JSON in SQLite, written at once, read only at the start.

WAL with `synchronous=OFF` survives the death of the process at any time, but not that of the
machine. That is enough for a simulator, and allows thousands of commits a second.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS instances (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS things (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (kind, id));
CREATE TABLE IF NOT EXISTS ledger (seq INTEGER PRIMARY KEY, body TEXT NOT NULL);
"""


class Store:
    """Not thread-safe: the world's lock guards it."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        if path != ":memory:":
            # It contains registry passwords; SQLite gives its side files the mode of the main one.
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch(mode=0o600)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all writes at the end, even after a refusal; reads alone begin no transaction."""
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("COMMIT")

    def put_fact(self, name: str, value: Any) -> None:
        self._write(
            "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
            name,
            json.dumps(value),
        )

    def fact(self, name: str) -> Any:
        row = self._db.execute("SELECT body FROM facts WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def put_instance(self, instance_id: str, body: dict[str, Any]) -> None:
        self._write(
            "INSERT INTO instances (id, body) VALUES (?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            instance_id,
            json.dumps(body),
        )

    def instances(self) -> Iterator[dict[str, Any]]:
        for (body,) in self._db.execute("SELECT body FROM instances ORDER BY seq"):
            yield json.loads(body)

    def put_thing(self, kind: str, thing_id: str, body: dict[str, Any]) -> None:
        self._write(
            "INSERT INTO things (kind, id, body) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
            kind,
            thing_id,
            json.dumps(body),
        )

    def drop_thing(self, kind: str, thing_id: str) -> None:
        self._write("DELETE FROM things WHERE kind = ? AND id = ?", kind, thing_id)

    def things(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for kind, thing_id, body in self._db.execute(
            "SELECT kind, id, body FROM things ORDER BY seq"
        ):
            yield kind, thing_id, json.loads(body)

    def append_ledger(self, entry: dict[str, Any]) -> None:
        self._write("INSERT INTO ledger (body) VALUES (?)", json.dumps(entry))

    def ledger(self) -> list[dict[str, Any]]:
        rows = self._db.execute("SELECT body FROM ledger ORDER BY seq")
        return [json.loads(body) for (body,) in rows]

    def _write(self, statement: str, *values: str) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN")
        self._db.execute(statement, values)
