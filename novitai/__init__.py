"""The Django project: settings, URLs, middleware, health, metrics and the commands around them."""

VERSION = "0.6.0"
