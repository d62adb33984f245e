"""Webhooks, measured: from the commit of an event to its arrival at a receiver."""
