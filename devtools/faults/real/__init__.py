"""Real processes, real sockets, real deaths: the half of the suite that costs seconds a run."""
