"""Verbs on endpoints, deliveries and replays: one transaction each, no network."""
