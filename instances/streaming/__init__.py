"""Clients that wait for events: one event loop in each process serves them, without threads.

A waiting client costs a socket and a few numbers. A NOTIFY of Postgres wakes the loop, one query
reads the new events for all clients, and each client gets its part.
"""
