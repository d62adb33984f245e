"""A clock that is off, for a process that has this folder on its path."""
