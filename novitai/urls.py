"""Every address of the service."""

from django.urls import include, path

urlpatterns = [
    path("api/", include("instances.api.urls")),
    path("api/", include("jobs.api.urls")),
]

handler400 = "novitai.errors.bad_request"
handler403 = "novitai.errors.permission_denied"
handler404 = "novitai.errors.not_found"
handler500 = "novitai.errors.server_error"
