"""Measurements of the engine's own promises."""
