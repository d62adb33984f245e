"""The Django project: settings, URLs, middlewares, health, metrics and commands."""

VERSION = "0.6.0"
