#!/usr/bin/env python
"""Django's command line for novitai."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "novitai.settings")
    from django.conf import settings
    from django.core.management import execute_from_command_line

    try:
        settings.INSTALLED_APPS  # noqa: B018 - loads the settings now, for a readable error
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    execute_from_command_line(_underscored(sys.argv))


def _underscored(argv: list[str]) -> list[str]:
    """Django's commands are named after files: ``terminate-all`` is terminate_all here."""
    is_command = len(argv) > 1 and not argv[1].startswith("-")
    return [argv[0], argv[1].replace("-", "_"), *argv[2:]] if is_command else argv


if __name__ == "__main__":
    main()
