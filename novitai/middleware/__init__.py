"""Middlewares: run for every request before its view."""
