from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class AdminConfig(DjangoAdminConfig):
    default_site = "config.admin.AdminSite"


class StopgateConfig(AppConfig):
    name = "config"
    verbose_name = "Stopgate"

    def ready(self) -> None:
        from accounts.admin import company_added
        from config import checks  # noqa: F401  (registers the start-up checks)
        from config.setup_company import equip

        company_added.connect(equip, dispatch_uid="equip")
