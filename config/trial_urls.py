"""One host for everything, as in a trial: the app's pages first, then the links."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import include, is_valid_path, path, resolve
from django.views.decorators.csrf import csrf_exempt

from config.urls import urlpatterns as app_pages
from optout.landing import views

APP = "config.urls"


def root(request: HttpRequest) -> HttpResponse:
    """The app's first page, unless somebody has typed a code."""
    if "code" in request.GET:
        return views.root(request)
    found = resolve("/", APP)
    return found.func(request, *found.args, **found.kwargs)


@csrf_exempt
def landing(request: HttpRequest, code: str) -> HttpResponse:
    """A link, unless it is a page of the app written without its slash."""
    if is_valid_path(f"/{code}/", APP):
        return HttpResponseRedirect(f"/{code}/")
    return views.landing(request, code=code)


urlpatterns = [
    path("", root),
    *app_pages,
    path("<str:code>", landing),
    path("", include("optout.landing.urls")),
]
