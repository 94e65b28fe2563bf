"""A bare view: GET is one look-up by primary key, POST is one insert."""

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path


def bare(request: HttpRequest, pk: int) -> HttpResponse:
    with connection.cursor() as cursor:
        if request.method == "POST":
            cursor.execute("INSERT INTO bare (phone) VALUES (%s)", [request.POST["phone"]])
            return HttpResponse(status=303, headers={"Location": "/"})
        cursor.execute("SELECT address FROM messaging_message WHERE id = %s", [pk])
        return HttpResponse(cursor.fetchone()[0])


urlpatterns = [path("<int:pk>", bare)]
