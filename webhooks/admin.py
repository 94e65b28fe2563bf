from __future__ import annotations

from django.contrib import admin

from accounts.admin import ReadOnlyAdmin
from webhooks.models import Delivery, Endpoint


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    list_display = ["url", "company", "events", "created_at", "last_success_at", "failing_since", "disabled_at"]
    list_filter = [("disabled_at", admin.EmptyFieldListFilter), "company"]
    search_fields = ["url"]


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ["id", "company", "type", "created_at", "attempts", "response", "error", "due_at", "delivered_at"]
    list_filter = ["type"]
    show_full_result_count = False
