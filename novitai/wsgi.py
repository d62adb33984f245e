"""The WSGI entry point; gunicorn serves it (gunicorn.conf.py)."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "novitai.settings")

application = get_wsgi_application()


def _serve_quickly() -> None:
    # Not earlier: models need the settings.
    from django.core.cache import close_caches
    from django.core.signals import request_finished, request_started
    from django.db import reset_queries
    from django.db.backends.signals import connection_created

    from accounts.prepared import keep_plans

    connection_created.connect(keep_plans)
    # No cache here holds anything open, and outside of DEBUG no queries are written down; looking
    # through all caches and connections for it takes a twentieth of a request.
    request_finished.disconnect(close_caches)
    if not settings.DEBUG:
        request_started.disconnect(reset_queries)


_serve_quickly()
