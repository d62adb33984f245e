"""Starts the whole service on one machine: `make run` and `make demo`.

Each part is a process of its own, as in production; the launcher starts them in order, watches them
and stops them. It is not part of the service: nothing imports it, and it starts the parts,
including the simulator, only by their commands.
"""
