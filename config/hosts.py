"""Which host may open which URLs: the short domain serves recipients only, the app domain everybody else."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class HostRouting:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SHORT_URL == settings.APP_URL:
            request.urlconf = "config.trial_urls"
        elif request.get_host() == settings.SHORT_URL.partition("://")[2]:
            request.urlconf = "config.short_urls"
        return self.get_response(request)
