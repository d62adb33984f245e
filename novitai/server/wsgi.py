"""Django's WSGI handler, which ``novitai.server.asgi`` serves."""

import logging
import os
import sys

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from uvicorn.config import STARTUP_FAILURE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "novitai.settings")

application = get_wsgi_application()
# uvicorn's own status for "do not try again".
_REFUSED = STARTUP_FAILURE


def _refuse_what_cannot_work() -> None:
    from django.core.exceptions import ImproperlyConfigured
    from django.db import connections

    from core.database.starting import refuse_for_web

    try:
        refuse_for_web()
    except ImproperlyConfigured as error:
        logging.getLogger(__name__).critical("The service cannot be started: %s", error)
        sys.exit(_REFUSED)
    finally:
        # What was opened here keeps no plans.
        connections.close_all()


def _bound_the_database() -> None:
    from django.db import connection

    from core.database.bounds import serve_with_bounds
    from core.database.pulse import watch

    serve_with_bounds()
    watch(connection.get_connection_params)


def _serve_quickly() -> None:
    # Imported here, since models need the settings.
    from django.core.cache import close_caches
    from django.core.signals import request_finished, request_started
    from django.db import reset_queries
    from django.db.backends.signals import connection_created

    from core.prepared import keep_plans

    if settings.CONFIG.database_pooler != "transaction":
        connection_created.connect(keep_plans)
    # No cache here holds anything open, and outside of DEBUG no queries are written down; looking
    # through all caches and connections for it takes a twentieth of a request.
    request_finished.disconnect(close_caches)
    if not settings.DEBUG:
        request_started.disconnect(reset_queries)


_refuse_what_cannot_work()
_bound_the_database()
_serve_quickly()
