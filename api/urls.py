from django.urls import path

from api import views

app_name = "api_pages"
urlpatterns = [
    path("settings/api-keys", views.keys, name="keys"),
    path("settings/api-keys/<int:pk>/revoke", views.key_revoke, name="key-revoke"),
]
