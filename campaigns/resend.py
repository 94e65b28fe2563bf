"""The same once more, to those whom it did not reach.

Only who surely has nothing: what may have arrived (`unknown`, or sent without a report yet) is not sent again.
Opt-outs are looked at as for every campaign.
"""

from __future__ import annotations

from pathlib import Path

from django.db import connection, transaction
from django.utils.translation import gettext as _

from addressbook.models import Group
from campaigns.audit import Who
from campaigns.models import Campaign, WrongState
from lib import sql

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "resend.sql")
LONGEST_NAME = 100


def to_not_delivered(campaign: Campaign, *, by: Who) -> Campaign:
    """A new draft to a new group of those whose message failed. Raises WrongState."""
    if campaign.status not in {Campaign.Status.SENT, Campaign.Status.CANCELLED}:
        raise WrongState(_("Wait until the campaign is over: some messages may still arrive."))
    with transaction.atomic():
        group = _new_group(campaign)
        values = {"group": group.pk, "campaign": campaign.pk, "company": campaign.company_id}
        with connection.cursor() as cursor:
            cursor.execute(STATEMENTS["gather"], values)
            if not cursor.rowcount:
                transaction.set_rollback(True)
                raise WrongState(_("Nobody is left to write to again: no message to a contact has failed."))
        draft = campaign.copy(name=_("%(name)s (again)") % {"name": campaign.name[:190]}, by=by)
        draft.groups.set([group])
    return draft


def _new_group(campaign: Campaign) -> Group:
    """Named after the campaign, numbered when the name is taken."""
    name = _("Not delivered: %(name)s") % {"name": campaign.name}
    groups = Group.objects.of(campaign.company_id)
    wanted, n = name[:LONGEST_NAME], 1
    while groups.filter(name=wanted).exists():
        n += 1
        wanted = f"{name[: LONGEST_NAME - 6]} ({n})"
    return Group.objects.create(company=campaign.company, name=wanted)
