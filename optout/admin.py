from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin import CompanyAdmin, ReadOnlyAdmin
from optout import marketing_hours
from optout.models import DestinationRule, OptInRequest, OptOutText, PortalCode, QuietHoursSwitch, Reason, ReviewItem


@admin.register(DestinationRule)
class DestinationRuleAdmin(admin.ModelAdmin):
    list_display = ["__str__", "methods", "keyword", "link_allowed", "reply_required", "confirmation", "verified"]
    list_filter = ["verified", "link_allowed", "reply_required", "confirmation"]
    search_fields = ["country", "law"]

    def save_model(self, request: HttpRequest, obj: DestinationRule, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        marketing_hours.rules_changed()


@admin.register(QuietHoursSwitch)
class QuietHoursSwitchAdmin(ReadOnlyAdmin):
    """Only added to: switching on again is a line of its own."""

    list_display = ["country", "company", "is_off", "until", "reason", "who", "at"]
    list_filter = ["is_off", "country", "company"]
    search_fields = ["country", "reason", "who"]
    date_hierarchy = "at"
    fields = ["company", "country", "is_off", "until", "reason"]

    def get_fields(self, request: HttpRequest, obj: QuietHoursSwitch | None = None) -> list[str]:
        return [*self.fields, "who", "at"] if obj else self.fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def save_model(self, request: HttpRequest, obj: QuietHoursSwitch, form: Any, change: bool) -> None:
        marketing_hours.switch(obj, by=request.user)


@admin.register(OptOutText)
class OptOutTextAdmin(admin.ModelAdmin):
    list_display = ["language", "method", "text", "company"]
    list_filter = ["method", "language", "company"]
    list_select_related = ["company"]
    search_fields = ["text", "company__name"]
    autocomplete_fields = ["company"]


@admin.register(Reason)
class ReasonAdmin(CompanyAdmin):
    list_display = ["text", "code", "company", "position"]
    search_fields = ["text", "code"]
    autocomplete_fields = ["company"]


@admin.register(ReviewItem)
class ReviewItemAdmin(ReadOnlyAdmin):
    list_display = ["id", "company", "suggestion", "campaign_name", "decision", "decided_by", "created_at"]
    list_filter = ["decision", "suggestion", "company"]
    list_select_related = ["company", "decided_by"]
    search_fields = ["=id", "campaign_name"]


@admin.register(PortalCode)
class PortalCodeAdmin(ReadOnlyAdmin):
    list_display = ["id", "company", "language", "tries", "handled_at", "expires_at"]
    list_filter = ["company"]
    list_select_related = ["company"]
    search_fields = ["=id"]


@admin.register(OptInRequest)
class OptInRequestAdmin(ReadOnlyAdmin):
    list_display = ["id", "company", "out_event_id", "message_id", "created_at", "expires_at"]
    fields = ["company", "out_event_id", "message_id", "created_at", "expires_at"]
    list_filter = ["company"]
    list_select_related = ["company"]
    search_fields = ["=id"]
