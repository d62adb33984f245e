"""The compared systems."""
