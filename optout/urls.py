from django.urls import path

from optout.views import landing_page, review, settings, simulator

app_name = "optout"
urlpatterns = [
    path("replies", review.inbox, name="replies"),
    path("replies/<int:pk>/decide", review.decide, name="reply-decide"),
    path("simulator/", simulator.simulator, name="simulator"),
    path("simulator/reply", simulator.reply, name="simulator-reply"),
    path("settings/opt-out-texts", settings.texts, name="texts"),
    path("settings/landing", landing_page.landing, name="landing"),
    path("settings/landing/preview", landing_page.preview, name="landing-preview"),
    path("settings/landing/logo", landing_page.upload, name="landing-logo"),
    path("settings/landing/logo/shown", landing_page.logo, name="landing-logo-shown"),
    path("settings/landing/logo/remove", landing_page.remove, name="landing-logo-remove"),
    path("settings/reasons", settings.reasons, name="reasons"),
    path("settings/reasons/<int:pk>", settings.reason, name="reason"),
    path("settings/reasons/<int:pk>/remove", settings.reason_remove, name="reason-remove"),
]
