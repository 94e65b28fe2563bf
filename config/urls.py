"""The app host: one include per app."""

from django.contrib import admin
from django.urls import include, path

from api.app import api
from config import health

urlpatterns = [
    path("healthz", health.process, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("", include("optout.hooks.urls")),
    path("", include("accounts.urls")),
    path("", include("messaging.urls")),
    path("", include("addressbook.urls")),
    path("", include("optout.urls")),
    path("", include("campaigns.urls")),
    path("", include("webhooks.urls")),
    path("", include("api.urls")),
]
