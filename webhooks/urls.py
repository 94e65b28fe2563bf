from django.urls import path

from webhooks import views

app_name = "webhooks"
urlpatterns = [
    path("settings/webhooks", views.endpoints, name="endpoints"),
    path("settings/webhooks/<int:pk>", views.endpoint, name="endpoint"),
    path("settings/webhooks/<int:pk>/delete", views.delete, name="delete"),
    path("settings/webhooks/<int:pk>/test", views.test, name="test"),
    path("settings/webhooks/<int:pk>/secret", views.rotate, name="rotate"),
    path("settings/webhooks/<int:pk>/enable", views.enable, name="enable"),
    path("settings/webhooks/<int:pk>/deliveries/<int:delivery>/again", views.again, name="again"),
]
