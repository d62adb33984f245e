"""The WSGI entry point; gunicorn serves it (gunicorn.conf.py)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "novitai.settings")

application = get_wsgi_application()


def _keep_plans() -> None:
    # Not earlier: models need the settings.
    from django.db.backends.signals import connection_created

    from accounts.prepared import keep_plans

    connection_created.connect(keep_plans)


_keep_plans()
