"""Enumerations, types, errors, tags and money, used by all layers; no database access."""
