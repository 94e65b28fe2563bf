from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks"

    def ready(self) -> None:
        from addressbook.erasure import erased
        from webhooks import deliveries

        erased.connect(deliveries.forget_person, dispatch_uid="webhooks")
