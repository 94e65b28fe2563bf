from typing import Any

app_name = "addressbook"
urlpatterns: list[Any] = []
