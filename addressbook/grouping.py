"""Contacts into groups and out of them: by hand, whoever a filter finds, or by a group's own conditions."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import Company
from accounts.scoping import company_scope
from addressbook.filters import ContactFilter
from addressbook.models import Contact, Group, GroupChange, GroupContact
from lib.wake import wake

TASK = "addressbook.change_groups"
#: So many are changed while the member waits; more by the worker.
AT_ONCE = 10_000
SLICE = 20_000

_ADD = """
  INSERT INTO addressbook_groupcontact (company_id, group_id, contact_id)
  SELECT {company}, {group}, id FROM meant ORDER BY id ON CONFLICT (group_id, contact_id) DO NOTHING RETURNING 1"""
_REMOVE = """
  DELETE FROM addressbook_groupcontact WHERE group_id = {group} AND contact_id IN (SELECT id FROM meant) RETURNING 1"""


def put(contacts: Iterable[Contact], *, into: Group) -> int:
    """Returns how many were not in the group before. The database keeps out other companies' (sql/walls.sql)."""
    rows = Contact.objects.of(into.company_id).filter(pk__in=[c.pk for c in contacts])
    return _change("add", rows, group=into)[0]


def take(contacts: Iterable[Contact], *, out_of: Group) -> int:
    rows = Contact.objects.of(out_of.company_id).filter(pk__in=[c.pk for c in contacts])
    return _change("remove", rows, group=out_of)[0]


def change_all(wanted: ContactFilter, *, act: str, group: Group) -> int | None:
    """Everybody whom a valid filter finds, on all its pages. None: they are many, and the worker does it."""
    rows = wanted.found()
    if rows.order_by("pk").values("pk")[AT_ONCE : AT_ONCE + 1].exists():
        newest = Contact.objects.of(group.company_id).order_by("-pk").values_list("pk", flat=True).first()
        GroupChange.objects.create(
            company_id=group.company_id, group=group, act=act, conditions=wanted.conditions, position=newest or 0
        )
        wake(TASK)
        return None
    return _change(act, rows, group=group)[0]


def _change(act: str, rows: Any, *, group: Group) -> tuple[int, int | None]:
    """How many memberships changed, and the lowest id among `rows`."""
    try:
        sought, arguments = rows.values("pk").query.sql_with_params()
    except EmptyResultSet:
        return 0, None
    change = (_ADD if act == "add" else _REMOVE).format(company=int(group.company_id), group=int(group.pk))
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH meant (id) AS MATERIALIZED ({sought}), changed AS ({change})"
            " SELECT (SELECT count(*) FROM changed), (SELECT min(id) FROM meant)",
            arguments,
        )
        changed, lowest = cursor.fetchone()
        return int(changed), lowest


# In the background -------------------------------------------------------------


def due() -> bool:
    return GroupChange.objects.across_companies().filter(finished_at=None).exists()


def run_due(*, seconds: float = 20) -> None:
    """A job's worth of changes, slice by slice; asks for the next job when there is more."""
    until = time.monotonic() + seconds
    while _next_slice():
        if time.monotonic() >= until:
            wake(TASK)
            return


@transaction.atomic
def _next_slice() -> bool:
    """Memberships and the progress they make in one transaction; False when nobody waits."""
    waiting = GroupChange.objects.across_companies().filter(finished_at=None).order_by("pk")
    change = waiting.select_for_update(skip_locked=True, of=("self",)).select_related("group", "company").first()
    if change is None:
        return False
    lowest = None
    with company_scope(change.company_id):
        wanted = ContactFilter(change.conditions, company=change.company)
        if wanted.is_valid():
            rows = wanted.found().filter(pk__lte=change.position).order_by("-pk")[:SLICE]
            changed, lowest = _change(change.act, rows, group=change.group)
            change.changed += changed
    if lowest is None:
        change.finished_at = timezone.now()
    else:
        change.position = lowest - 1
    change.save()
    return True


# Dynamic groups ----------------------------------------------------------------


def refresh(company: Company, group_ids: Iterable[int], *, older_than: timedelta = timedelta(0)) -> None:
    """Those of the groups that are dynamic get the members that meet their conditions now; the others stay as they are.

    For whoever is about to read the members: an audience that is counted or built. With `older_than`, a group that
    was refreshed since is left.
    """
    groups = Group.objects.of(company).dynamic().filter(pk__in=list(group_ids)).order_by("pk")
    for pk in list(groups.values_list("pk", flat=True)):
        _refresh(company, pk, before=timezone.now() - older_than)


@transaction.atomic
def _refresh(company: Company, pk: int, *, before: datetime) -> None:
    # no_key: members may be written meanwhile, only another refresh waits.
    group = Group.objects.of(company).dynamic().select_for_update(no_key=True).filter(pk=pk).first()
    if group is None or (group.refreshed_at and group.refreshed_at > before):
        return
    wanted = ContactFilter(group.conditions, company=company)
    # Conditions that no longer mean anything (their group is gone) change nothing: nobody is written to, and
    # nobody left out, who was not before.
    if wanted.is_valid():
        try:
            sought, arguments = wanted.found().values("pk").query.sql_with_params()
        except EmptyResultSet:
            sought, arguments = "SELECT 0::bigint WHERE false", ()
        with connection.cursor() as cursor:
            cursor.execute(
                f"""WITH meant (id) AS MATERIALIZED ({sought}), gone AS (
                      DELETE FROM addressbook_groupcontact m WHERE m.group_id = {int(group.pk)}
                        AND NOT EXISTS (SELECT FROM meant WHERE meant.id = m.contact_id))
                    {_ADD.format(company=int(group.company_id), group=int(group.pk))}""",
                arguments,
            )
    group.refreshed_at = timezone.now()
    group.save(update_fields=["refreshed_at"])


def that_need(group: Group) -> list[str]:
    """Names of the campaigns and dynamic groups that a deleted group would silently change."""
    dynamic = Group.objects.of(group.company_id).dynamic().filter(conditions__group=str(group.pk))
    return campaigns_that_need(group) + list(dynamic.values_list("name", flat=True)[:5])


def campaigns_that_need(group: Group) -> list[str]:
    """Names of campaigns whose audience is still to be built from this group, or without it."""
    # The model is reached through the relation: the address book knows no campaigns, but a deleted
    # group would silently change who gets them.
    campaigns = group.campaigns.model.objects.of(group.company_id).filter(built_at=None).exclude(status="cancelled")
    names = campaigns.filter(Q(groups=group) | Q(exclude_groups=group)).order_by("name").distinct()
    return list(names.values_list("name", flat=True)[:5])


def under_way(company: Company) -> list[GroupChange]:
    """What the worker still has to do, for the pages to say."""
    rows = GroupChange.objects.of(company).filter(finished_at=None).select_related("group")
    return list(rows.order_by(F("pk"))[:5])


def members(group: Group) -> Any:
    return GroupContact.objects.of(group.company_id).filter(group=group)
