from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from accounts.admin import ReadOnlyAdmin
from accounts.models import Company
from addressbook.models import (
    ConsentEvent,
    Contact,
    Evidence,
    Group,
    GroupContact,
    Import,
    LedgerHead,
    LedgerSeal,
    Pause,
    RejectedRow,
    Suppression,
    Telling,
    TopicLeft,
)
from lib.keys import digest_key
from messaging.addresses import InvalidAddress, parse


class ByAddress(ReadOnlyAdmin):
    """Finds an address by its digest, so that an erased one can still be asked for."""

    search_fields = ["=id"]
    search_help_text = "An id, a telephone number with + and country code, or an e-mail address."
    digests = ["digest"]

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        try:
            digest = parse(search_term.strip()).digest(digest_key())
        except InvalidAddress:
            return super().get_search_results(request, queryset, search_term)
        wanted = models.Q()
        for field in self.digests:
            wanted |= models.Q(**{field: digest})
        # The indexes begin with the company.
        return queryset.filter(wanted, company_id__in=list(Company.objects.values_list("pk", flat=True))), False


@admin.register(Contact)
class ContactAdmin(ByAddress):
    list_display = ["id", "company", "first_name", "last_name", "country", "language", "updated_at"]
    list_filter = ["language", "company"]
    exclude = ["phone_digest", "email_digest"]
    digests = ["phone_digest", "email_digest"]


@admin.register(Group)
class GroupAdmin(ReadOnlyAdmin):
    list_display = ["name", "company", "created_at"]
    search_fields = ["name"]
    exclude = ["contacts"]


@admin.register(GroupContact)
class GroupContactAdmin(ReadOnlyAdmin):
    list_display = ["id", "company", "group", "contact_id"]
    list_select_related = ["company", "group"]
    search_fields = ["group__name"]


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin):
    list_display = ["file_name", "company", "status", "rows", "created", "updated", "rejected", "created_at"]
    list_filter = ["status", "company"]
    search_fields = ["file_name"]
    date_hierarchy = "created_at"
    exclude = ["content"]


@admin.register(RejectedRow)
class RejectedRowAdmin(ReadOnlyAdmin):
    list_display = ["id", "company", "import_run", "line", "code", "reason"]
    list_filter = ["code", "company"]
    list_select_related = ["company", "import_run"]
    search_fields = ["=import_run__id"]


@admin.register(Suppression)
class SuppressionAdmin(ByAddress):
    list_display = ["id", "company", "channel", "source", "event_id", "since"]
    list_filter = ["channel", "source", "company"]


@admin.register(Pause)
class PauseAdmin(ByAddress):
    list_display = ["id", "company", "channel", "event_id", "until"]
    list_filter = ["channel", "company"]


@admin.register(TopicLeft)
class TopicLeftAdmin(ByAddress):
    list_display = ["id", "company", "group", "channel", "event_id"]
    list_filter = ["channel", "company"]
    list_select_related = ["company", "group"]


@admin.register(ConsentEvent)
class ConsentEventAdmin(ByAddress):
    list_display = ["id", "company", "type", "source", "channel", "campaign_name", "country", "reason", "occurred_at"]
    list_filter = ["type", "source", "channel", "company"]


@admin.register(Evidence)
class EvidenceAdmin(ReadOnlyAdmin):
    list_display = ["event_id", "company", "erased_at"]
    search_fields = ["=event_id"]


@admin.register(LedgerHead)
class LedgerHeadAdmin(ReadOnlyAdmin):
    list_display = ["company", "shard", "position"]
    search_fields = ["company__slug"]


@admin.register(LedgerSeal)
class LedgerSealAdmin(ReadOnlyAdmin):
    list_display = ["number", "company", "sealed_at"]
    list_filter = ["company"]


@admin.register(Telling)
class TellingAdmin(ReadOnlyAdmin):
    """How far each provider's own list has followed ours."""

    list_display = ["gateway", "company", "failures", "problem", "due_at"]
    list_filter = ["gateway__kind", "company"]
    list_select_related = ["company", "gateway"]
    search_fields = ["=id"]
