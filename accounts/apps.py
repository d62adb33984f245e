"""App configurations."""

from django.apps import AppConfig

# Not the class: Django takes every AppConfig of this module for one of its own.
from django.contrib.admin import apps as admin_apps


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"
    default = True

    def ready(self) -> None:
        # drf-spectacular knows its extensions by their import.
        from accounts.console import logins
        from accounts.rest import schema  # noqa: F401

        logins.listen()


class ConsoleConfig(admin_apps.AdminConfig):
    """In place of django.contrib.admin: its site is ours."""

    default = False
    default_site = "accounts.console.site.Console"
