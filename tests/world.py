"""The cast: Acme with its people and a contact; Rival with the same contact's number."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Company, Member
from addressbook.models import Contact, Group
from tests import make

PHONE = "+31612345678"
CANARY = "canary-of-rival"


@dataclass
class World:
    acme: Company
    owner: Member
    marketer: Member
    viewer: Member
    customers: Group
    contact: Contact
    rival: Company
    stranger: Member
    rivals_customers: Group
    rivals_contact: Contact

    @classmethod
    def make(cls) -> World:
        acme, rival = make.company("Acme"), make.company("Rival")
        customers, rivals = make.group(acme), make.group(rival, CANARY)
        return cls(
            acme=acme,
            owner=make.member(acme, "owner"),
            marketer=make.member(acme, "marketer"),
            viewer=make.member(acme, "viewer"),
            customers=customers,
            contact=make.contact(acme, PHONE, "sanne@devries.example", group=customers, first_name="Sanne"),
            rival=rival,
            stranger=make.member(rival, "owner"),
            rivals_customers=rivals,
            rivals_contact=make.contact(rival, PHONE, group=rivals, first_name=CANARY),
        )
