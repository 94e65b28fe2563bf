"""A contact gets other addresses. Who opted out stays out, whatever number they have now (promise 8)."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Company, User
from addressbook import consent, standing
from addressbook.models import Contact
from lib.keys import digest_key
from messaging.addresses import Address


def readdress(contact: Contact, *, phone: Address | None, email: Address | None, by: User) -> list[Address]:
    """Saves the contact with these addresses; returns those that were opted out because the person was before.

    An opt-out covers the person on the channel it was made for, and on both where the company has not
    narrowed it. A changed address would otherwise bring them back without a word of theirs.
    Raises Contact.DoesNotExist when they were erased meanwhile: nobody is written anew.
    """
    company, key = contact.company, digest_key()
    contact.set_address("sms", phone)
    contact.set_address("email", email)
    with transaction.atomic():
        # Nobody opts out, moves or erases them from here on: what they said until now is what follows them.
        former = Contact.objects.of(company).select_for_update().get(pk=contact.pk).addresses() if contact.pk else []
        consent.hold(company=company, digests=[a.digest(key) for a in (*former, *contact.addresses())])
        before = {a.channel: a for a in former}
        out = {a.channel for a, s in standing.of_addresses(company, former).items() if s.suppression}
        new = [a for a in contact.addresses() if a.channel not in before or a.identity != before[a.channel].identity]
        followed = [a for a in new if _covered(company, a.channel, before=before, out=out)]
        contact.save()
        return [a for a in followed if not _opt_out(company, a, by=by)]


def _covered(company: Company, channel: str, *, before: dict[str, Address], out: set[str]) -> bool:
    if channel in before:
        return channel in out
    return bool(out) and company.opt_out_scope == Company.Scope.CONTACT


def _opt_out(company: Company, address: Address, *, by: User) -> bool:
    """Whether it was out already."""
    evidence = {"by": by.email, "method": "the contact's other address had opted out"}
    return consent.opt_out(
        company=company, address=address, source="marketer", channels=[address.channel], evidence=evidence
    ).already
