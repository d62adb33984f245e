"""The ASGI application that the web server runs: ``python -m novitai.server``."""

import os
import resource
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings

if TYPE_CHECKING:
    from novitai.server.entry import Entry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "novitai.settings")
_MOST_CONNECTIONS = 4000


def _wsgi() -> Any:
    from novitai.server.wsgi import application

    return application


def _application() -> "Entry":
    django.setup()
    # Not earlier: it loads models.
    from novitai.server.entry import Entry

    # Half of the open files: a process that has none left serves nobody.
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    has_limit = files != resource.RLIM_INFINITY
    most = min(_MOST_CONNECTIONS, files // 2) if has_limit else _MOST_CONNECTIONS
    return Entry(_wsgi, settings.CONFIG, most)


application = _application()
