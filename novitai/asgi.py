"""The ASGI entry point, for servers that speak nothing else."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "novitai.settings")

application = get_asgi_application()
