"""A wrong clock, for a process that has this folder on its path."""
