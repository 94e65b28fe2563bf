from __future__ import annotations

from django.contrib import admin

from accounts.admin import CompanyAdmin, ReadOnlyAdmin
from optout.models import DestinationRule, OptOutText, PortalCode, Reason, ReviewItem


@admin.register(DestinationRule)
class DestinationRuleAdmin(admin.ModelAdmin):
    list_display = ["__str__", "methods", "keyword", "link_allowed", "reply_required", "confirmation", "verified"]
    list_filter = ["verified", "link_allowed", "reply_required", "confirmation"]
    search_fields = ["country", "law"]


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
