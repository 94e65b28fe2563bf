from django.contrib import admin
from django.utils.translation import gettext_lazy as _


class AdminSite(admin.AdminSite):
    """For administrators of the installation: they see across companies, on purpose."""

    site_header = _("Stopgate administration")
    site_title = _("Stopgate")
    index_title = _("Administration")
