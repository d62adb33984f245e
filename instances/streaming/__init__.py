"""Clients that wait for events: one event loop a process holds them all, and no thread of theirs.

What waits is a socket and a few numbers. A NOTIFY from Postgres wakes the loop, one query asks for
what is new to everybody at once, and each client is told its part.
"""
