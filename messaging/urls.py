from django.urls import path

from messaging.views import senders

app_name = "messaging"
urlpatterns = [
    path("settings/senders", senders.senders, name="senders"),
    path("settings/senders/<int:pk>/remove", senders.sender_remove, name="sender-remove"),
]
