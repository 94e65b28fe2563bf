from django.urls import path

from optout.hooks import views

app_name = "hooks"
urlpatterns = [
    path("hooks/<slug:kind>/<uuid:token>/inbound", views.door, {"hook": "inbound"}, name="inbound"),
    path("hooks/<slug:kind>/<uuid:token>/status", views.door, {"hook": "status"}, name="status"),
]
