"""Which host may open which URLs: the short domain serves recipients only, the app domain everybody else."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch, resolve

SHORT = "config.short_urls"
TRIAL = "config.trial_urls"


class HostRouting:
    """The short domain is answered here: sessions, languages of the app, log-in and messages are not for recipients."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SHORT_URL == settings.APP_URL:
            request.urlconf = TRIAL
        elif _is_short(request.get_host()):
            request.urlconf = SHORT
            found: ResolverMatch = resolve(request.path_info, SHORT)
            request.resolver_match = found
            return found.func(request, *found.args, **found.kwargs)
        return self.get_response(request)


def _is_short(host: str) -> bool:
    """In any case and, where the names differ, on any port: no writing of the short domain opens the app."""
    short, app, asked = urlsplit(settings.SHORT_URL), urlsplit(settings.APP_URL), urlsplit(f"//{host}")
    if short.hostname != app.hostname:
        return asked.hostname == short.hostname
    return (asked.hostname, asked.port) == (short.hostname, short.port)
