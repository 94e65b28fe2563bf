from django.apps import AppConfig


class OptoutConfig(AppConfig):
    name = "optout"

    def ready(self) -> None:
        from addressbook import reasons as told
        from optout import reasons

        told.offer(reasons.offered)
