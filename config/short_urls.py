"""The short host: recipients' pages and health, nothing else."""

from django.urls import include, path, re_path

from config import health
from optout.landing import views

urlpatterns = [
    path("healthz", health.process, name="healthz"),
    path("", include("optout.landing.urls")),
    re_path(r"(?s:.)*", views.unknown),
]
