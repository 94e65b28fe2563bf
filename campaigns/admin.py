from __future__ import annotations

from django.contrib import admin

from accounts.admin import ReadOnlyAdmin
from campaigns.models import Campaign, TransactionalTemplate


@admin.register(Campaign)
class CampaignAdmin(ReadOnlyAdmin):
    list_display = ["name", "company", "channel", "sender", "status", "audience", "launched_at", "created_at"]
    list_filter = ["status", "channel", "company"]
    search_fields = ["name"]
    date_hierarchy = "created_at"


@admin.register(TransactionalTemplate)
class TransactionalTemplateAdmin(ReadOnlyAdmin):
    """Whether a company must keep to them is set with the company."""

    list_display = ["name", "company", "channel", "language", "updated_at", "updated_by"]
    list_filter = ["channel", "company"]
    list_select_related = ["company", "updated_by"]
    search_fields = ["name"]
    date_hierarchy = "updated_at"
