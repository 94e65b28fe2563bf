from __future__ import annotations

from django.contrib import admin

from accounts.admin import ReadOnlyAdmin
from campaigns.models import Campaign


@admin.register(Campaign)
class CampaignAdmin(ReadOnlyAdmin):
    list_display = ["name", "company", "channel", "sender", "status", "audience", "launched_at", "created_at"]
    list_filter = ["status", "channel", "company"]
    search_fields = ["name"]
    date_hierarchy = "created_at"
