from django.urls import path

from optout.views import review, settings, simulator

app_name = "optout"
urlpatterns = [
    path("replies", review.inbox, name="replies"),
    path("replies/<int:pk>/decide", review.decide, name="reply-decide"),
    path("simulator/", simulator.simulator, name="simulator"),
    path("simulator/reply", simulator.reply, name="simulator-reply"),
    path("settings/opt-out-texts", settings.texts, name="texts"),
    path("settings/reasons", settings.reasons, name="reasons"),
    path("settings/reasons/<int:pk>", settings.reason, name="reason"),
    path("settings/reasons/<int:pk>/remove", settings.reason_remove, name="reason-remove"),
]
