"""Django database engine: Postgres, with the server started at the first connection."""
