"""The WSGI entry point; gunicorn serves it (gunicorn.conf.py)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "novitai.settings")

application = get_wsgi_application()
