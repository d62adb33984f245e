"""ENGINE = "core.database.backend": Django's own for Postgres, and

- errors that mean "this database cannot be used now" are OperationalErrors, whatever class Django
  gives them (``failures``);
- a session that cannot succeed any more is closed before its next use outside a transaction, so
  that its web thread, worker or listener continues with a new one;
- every wait has a time limit (``bounds``);
- the requirements on a session are checked when it begins (``suitability``).
"""

from types import TracebackType
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property

from core.database import bounds, state
from core.database.bounds import BoundedConnection
from core.database.failures import FAILURES, DatabaseUnusable, cause_of
from core.database.suitability import prepare_session

# Django itself raises these as OperationalError or InterfaceError.
_KNOWN_AS_TROUBLE = (psycopg.OperationalError, psycopg.InterfaceError)


class DatabaseWrapper(base.DatabaseWrapper):
    """The connection of one thread; opened again when its session cannot be used any more."""

    _is_spent = False

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        return _ErrorWrapper(self)

    def spend(self) -> None:
        """Mark that this session must not be used again."""
        self._is_spent = True

    def ensure_connection(self) -> None:
        if self._is_spent and not self.in_atomic_block:
            self._drop()
        super().ensure_connection()

    def connect(self) -> None:
        bounds.check_pulse()
        self._is_spent = False
        is_connected = False
        try:
            super().connect()
            is_connected = True
        finally:
            if not is_connected:
                self._drop()
        state.note_answer()

    def get_new_connection(self, conn_params: dict[str, Any]) -> BoundedConnection:
        if self.pool:
            pooled: BoundedConnection = super().get_new_connection(conn_params)
            return pooled
        self.isolation_level = IsolationLevel.READ_COMMITTED
        return BoundedConnection.connect(**conn_params)

    def init_connection_state(self) -> None:
        prepare_session(self.connection, pooler=self.settings_dict.get("POOLER"))
        super().init_connection_state()

    def is_usable(self) -> bool:
        return not self._is_spent and super().is_usable()

    def close_if_unusable_or_obsolete(self) -> None:
        """Called before and after each request. A session that began on a read-only server stays
        read-only, so it is closed, although it can still read.
        """
        if self._is_read_only() and not self.in_atomic_block:
            self.close()
        super().close_if_unusable_or_obsolete()

    def _is_read_only(self) -> bool:
        """From parameters that the server reports by itself; a pooler may not pass them on."""
        if self.connection is None or self.connection.closed:
            return False
        said = self.connection.info.parameter_status
        return "on" in (said("default_transaction_read_only"), said("in_hot_standby"))

    def _commit(self) -> None:
        is_proof = state.is_in_trouble() and self._has_written()
        super()._commit()  # type: ignore[misc]
        if is_proof:
            state.note_write()

    def _has_written(self) -> bool:
        with self.connection.cursor() as cursor:
            row = cursor.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL").fetchone()
        return bool(row and row[0])

    def _drop(self) -> None:
        """Close without sending anything to the server, which may not answer."""
        self._is_spent = False
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()


class _ErrorWrapper(DatabaseErrorWrapper):
    """Classifies each error of the driver once, where Django converts it."""

    wrapper: DatabaseWrapper

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc_value, psycopg.Error) and (cause := cause_of(exc_value)):
            if FAILURES[cause].ends_session:
                self.wrapper.spend()
            state.note_trouble(cause, exc_value)
            if not isinstance(exc_value, _KNOWN_AS_TROUBLE):
                self.wrapper.errors_occurred = True
                raise DatabaseUnusable(*exc_value.args) from exc_value
        super().__exit__(exc_type, exc_value, traceback)
