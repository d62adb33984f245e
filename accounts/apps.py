"""App configurations."""

from django.apps import AppConfig

# The module and not the class: Django treats every AppConfig in this module's namespace as a
# configuration of this app.
from django.contrib.admin import apps as admin_apps


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"
    default = True

    def ready(self) -> None:
        # drf-spectacular registers its extensions when they are imported.
        from accounts.console import logins
        from accounts.rest import schema  # noqa: F401

        logins.listen()


class ConsoleConfig(admin_apps.AdminConfig):
    """Replaces django.contrib.admin, with our own admin site."""

    default = False
    default_site = "accounts.console.site.Console"
