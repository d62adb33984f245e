"""Django database engine: Postgres with bounds on our side, and sessions that heal."""
