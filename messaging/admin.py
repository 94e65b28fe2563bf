from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin import BoundedPaginator, CompanyAdmin, ReadOnly, ReadOnlyAdmin
from messaging.models import (
    Batch,
    Gateway,
    GatewayResult,
    GatewayTest,
    HandsetMessage,
    HookDelivery,
    Message,
    Reply,
    Route,
    Sender,
    Tally,
)


@admin.register(Gateway)
class GatewayAdmin(CompanyAdmin):
    list_display = [
        "__str__",
        "company",
        "kind",
        "is_default",
        "problem",
        "down_since",
        "last_success_at",
        "created_at",
    ]
    list_filter = ["kind", "is_default", "company"]
    search_fields = ["name", "company__name"]
    date_hierarchy = "created_at"
    readonly_fields = [
        "token", "problem", "problem_since", "down_since", "last_success_at", "switched_off_at", "created_at",
    ]  # fmt: skip
    autocomplete_fields = ["company"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # its messages keep naming it

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Its messages and webhooks belong to this company and provider for good.
        return [*self.readonly_fields, "company", "kind"] if obj else self.readonly_fields


@admin.register(Sender)
class SenderAdmin(admin.ModelAdmin):
    list_display = ["value", "kind", "country", "company", "created_at"]
    list_filter = ["kind", "country", "company"]
    list_select_related = ["company"]
    search_fields = ["value", "company__name"]
    autocomplete_fields = ["company"]


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = ["id", "company", "campaign", "category", "channel", "country", "status", "method", "created_at"]
    list_filter = ["status", "category", "channel", "method", "company"]
    list_select_related = ["company", "campaign"]
    search_fields = ["=id"]


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    list_display = ["id", "company", "campaign_id", "category", "status", "due_at", "claimed_at", "look_to_send_ms"]
    list_filter = ["status", "category", "company"]
    search_fields = ["=id", "=campaign_id"]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        gaps = self.get_queryset(request).gaps()
        shown = ""
        if gaps["most"] is not None:
            shown = (
                _("From the last look to the hand-over: 99 %% within %(most)d ms, the longest %(longest)d ms") % gaps
            )
        return super().changelist_view(request, {**(extra_context or {}), "subtitle": shown})


@admin.register(Tally)
class TallyAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["campaign_id", "status", "delta"]
    list_filter = ["status"]
    search_fields = ["=campaign_id"]
    ordering = ["-pk"]
    show_full_result_count = False
    paginator = BoundedPaginator


@admin.register(Reply)
class ReplyAdmin(ReadOnlyAdmin):
    list_display = ["id", "company", "to", "country", "meaning", "received_at", "read_at"]
    list_filter = ["meaning", "country", "company"]
    search_fields = ["=id", "=provider_id"]


@admin.register(HookDelivery)
class HookDeliveryAdmin(ReadOnlyAdmin):
    """What a provider said and nobody understood; and reports that wait for their message."""

    list_display = ["id", "company", "gateway", "kind", "problem", "received_at", "read_at"]
    list_filter = ["kind", "problem", "gateway__kind", "company"]
    list_select_related = ["company", "gateway"]
    search_fields = ["=id"]
    fields = ["company", "gateway", "kind", "problem", "content_type", "query", "text", "received_at", "read_at"]

    @admin.display(description=_("body"))
    def text(self, delivery: HookDelivery) -> str:
        return bytes(delivery.body).decode(errors="backslashreplace").replace("\x00", "\\x00")


@admin.register(HandsetMessage)
class HandsetMessageAdmin(ReadOnlyAdmin):
    list_display = ["id", "company", "message_id", "channel", "sender", "received_at"]
    list_filter = ["channel", "company"]
    search_fields = ["=message_id"]


@admin.register(Route)
class RouteAdmin(ReadOnlyAdmin):
    list_display = ["id", "company", "channel", "country", "sender", "gateway", "rank", "price", "currency"]
    list_filter = ["channel", "company"]
    list_select_related = ["company", "gateway"]
    search_fields = ["=country", "=sender"]


@admin.register(GatewayResult)
class GatewayResultAdmin(ReadOnlyAdmin):
    list_display = ["id", "company", "gateway", "at", "taken", "rejected", "refused", "unknown"]
    list_filter = ["gateway__kind", "company"]
    list_select_related = ["company", "gateway"]
    search_fields = ["=id"]


@admin.register(GatewayTest)
class GatewayTestAdmin(ReadOnlyAdmin):
    list_display = ["id", "company", "gateway", "asked_at"]
    list_filter = ["company"]
    list_select_related = ["company", "gateway"]
    search_fields = ["=id"]
