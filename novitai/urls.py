"""URL configuration. Paths have no trailing slash, except those of the admin."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerSplitView

from novitai.monitoring.health import HealthView, LivezView, ReadyzView
from novitai.monitoring.metrics import MetricsView
from novitai.openapi.views import only_to_read, redoc_script_view, schema_view
from novitai.rest.root import ApiNotFoundView, api_root

_docs = SpectacularSwaggerSplitView.as_view(url_name="schema")
_redoc = SpectacularRedocView.as_view(url_name="schema", template_name="novitai/redoc.html")

urlpatterns = [
    # Django tries the patterns in order, so the most used ones come first.
    path("api/", include("instances.api.urls")),
    path("api/", include("webhooks.api.urls")),
    path("api/", include("jobs.api.urls")),
    path("api/", include("accounts.api.urls")),
    path("", only_to_read(RedirectView.as_view(pattern_name="docs")), name="home"),
    path("api", only_to_read(api_root)),
    path("api/", only_to_read(api_root)),
    path("docs", only_to_read(RedirectView.as_view(pattern_name="docs"))),
    path("health", HealthView.as_view(), name="health"),
    path("livez", LivezView.as_view(), name="livez"),
    path("readyz", ReadyzView.as_view(), name="readyz"),
    path("api/metrics", MetricsView.as_view(), name="metrics"),
    path("api/schema", only_to_read(schema_view), name="schema"),
    path("api/docs", only_to_read(_docs), name="docs"),
    path("api/redoc", only_to_read(_redoc), name="redoc"),
    path("api/redoc/redoc.js", only_to_read(redoc_script_view), name="redoc-script"),
    path("api/<path:rest>", ApiNotFoundView.as_view(), name="unknown"),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
]

handler400 = "novitai.errors.responses.bad_request"
handler403 = "novitai.errors.responses.permission_denied"
handler404 = "novitai.errors.responses.not_found"
handler500 = "novitai.errors.responses.server_error"
