"""The part of the suite with real processes, sockets and deaths; seconds for each run."""
