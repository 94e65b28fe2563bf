from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "api"

    def ready(self) -> None:
        from addressbook.erasure import erased
        from api import idempotency

        erased.connect(idempotency.forget_person, dispatch_uid="idempotency")
