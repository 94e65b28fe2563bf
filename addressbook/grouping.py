"""Putting contacts into groups and taking them out."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from addressbook.models import Contact, Group, GroupContact


def put(contacts: Iterable[Contact], *, into: Group) -> int:
    """Returns how many were not in the group before. The database keeps out other companies' (sql/walls.sql)."""
    before = GroupContact.objects.of(into.company_id).filter(group=into)
    wanted = [c.pk for c in contacts]
    known = set(before.filter(contact__in=wanted).values_list("contact_id", flat=True))
    GroupContact.objects.bulk_create(
        [GroupContact(company_id=into.company_id, group=into, contact_id=pk) for pk in wanted if pk not in known],
        ignore_conflicts=True,  # somebody else may put them in at the same moment
    )
    return len(wanted) - len(known)


def take(contacts: Iterable[Contact], *, out_of: Group) -> int:
    rows = GroupContact.objects.of(out_of.company_id).filter(group=out_of, contact__in=[c.pk for c in contacts])
    return rows.delete()[0]


def campaigns_that_need(group: Group) -> list[str]:
    """Names of campaigns whose audience is still to be built from this group, or without it."""
    # The model is reached through the relation: the address book knows no campaigns, but a deleted
    # group would silently change who gets them.
    campaigns = group.campaigns.model.objects.of(group.company_id).filter(built_at=None).exclude(status="cancelled")
    names = campaigns.filter(Q(groups=group) | Q(exclude_groups=group)).order_by("name").distinct()
    return list(names.values_list("name", flat=True)[:5])
