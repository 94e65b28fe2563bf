from django.urls import path, register_converter

from optout.landing import portal, views


class PurposeConverter:
    """What a receipt is for."""

    regex = "out|already|in|paused|topics|asked|later"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(PurposeConverter, "purpose")

app_name = "landing"
urlpatterns = [
    path("", views.root, name="root"),
    path("robots.txt", views.robots, name="robots"),
    path("e/<str:tagged>", views.email, name="email"),
    path("e/<str:tagged>/", views.email),
    path("e/<str:tagged>/<purpose:purpose>/<str:receipt>", views.email_status, name="email-status"),
    path("i/<str:tagged>", views.confirm, name="opt-in-confirm"),
    path("i/<str:tagged>/", views.confirm),
    path("c/<slug:slug>", portal.ask, name="portal"),
    path("c/<slug:slug>/", portal.ask),
    path("c/<slug:slug>/code/<uuid:token>", portal.enter, name="portal-code"),
    path("c/<slug:slug>/logo/<str:name>", portal.logo, name="logo"),
    path("c/<slug:slug>/<purpose:purpose>/<str:receipt>", portal.status, name="portal-status"),
    path("<str:code>", views.landing, name="landing"),
    path("<str:code>/", views.landing),
    path("<str:code>/<purpose:purpose>/<str:receipt>", views.status, name="status"),
]
