"""Opt-outs, opt-ins, imports, changed numbers, erasures, replies, repetitions and sendings of two companies, in any
order, beside a small model of what must follow. Acme's opt-outs cover the contact, Rival's only the channel."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import StringIO
from itertools import count

import pytest
from django.core.management import call_command
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import Company, User
from addressbook import consent
from addressbook.erasure import erase
from addressbook.models import Contact, Suppression
from addressbook.readdress import readdress
from addressbook.upsert import upsert
from campaigns import audience, dispatch, gate
from lib.keys import digest_key
from messaging.addresses import Address, parse
from messaging.models import Gateway, Message
from optout import replies
from tests import make

CHANNELS = ("sms", "email")
LEFT = ["sent", "delivered"]
#: Two do not meet each other, so one is enough; what counts is that much happens to them.
people = st.just(1)
where = st.sampled_from(["acme", "rival"])
which = st.sampled_from(["number", "new number", "email"])
covers = st.sampled_from([None, ["sms"], ["email"], ["sms", "email"]])


def number(n: int) -> Address:
    return parse(f"+3161234567{n}")


def new_number(n: int) -> Address:
    return parse(f"+3161234568{n}")


def email(n: int) -> Address:
    return parse(f"person{n}@example.com")


def address(n: int, which: str) -> Address:
    return {"number": number, "new number": new_number, "email": email}[which](n)


@dataclass
class Side:
    """What one company must believe."""

    company: Company
    member: User
    is_wide: bool
    #: Contacts by id: address per channel.
    contacts: dict[int, dict[str, Address]] = field(default_factory=dict)
    #: Address to the moment of the opt-out in force.
    out: dict[Address, int] = field(default_factory=dict)
    #: Address to the moment of its last opt-in.
    back: dict[Address, int] = field(default_factory=dict)
    #: Whose answer waits for a person to read it.
    held: set[Address] = field(default_factory=set)

    def covered(self, acting: Address, channels: list[str] | None) -> list[Address]:
        wanted = set(channels or (CHANNELS if self.is_wide else [acting.channel]))
        found = [acting] if acting.channel in wanted else []
        owner = next((has for has in self.contacts.values() if acting in has.values()), {})
        found += [a for channel, a in owner.items() if channel in wanted and a != acting]
        return found or [acting]

    def is_free(self, a: Address) -> bool:
        return a not in self.out and a not in self.held


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = transaction.atomic()
        self.world.__enter__()
        self.clock = count(1)
        self.sides = {}
        for name, scope in [("acme", "contact"), ("rival", "channel")]:
            company = make.company(name.title(), country="NL", opt_out_scope=scope)
            self.sides[name] = Side(company, make.member(company).user, is_wide=scope == "contact")
        self.told: list[tuple[str, str, str, str]] = []

    def teardown(self) -> None:
        try:
            call_command("verify_ledger", stdout=StringIO())
        finally:
            transaction.set_rollback(True)
            self.world.__exit__(None, None, None)

    @initialize(
        early=st.lists(st.tuples(where, which, covers), max_size=3),
        first=st.sampled_from([["sms"], ["email"], ["sms", "email"]]),
        later=st.sampled_from([[], ["sms", "email"]]),
    )
    def some_left_before_they_were_known(self, early, first, later):
        for name, which, covers in early:
            self.leaves(name, 1, which, covers)
        for name in self.sides:
            self.is_imported(name, 1, first)
            if later:
                self.is_imported(name, 1, later)

    # People come, go and change.

    @rule(name=where, n=people, kinds=st.sampled_from([["sms", "email"], ["sms"], ["email"]]))
    def is_imported(self, name, n, kinds):
        side = self.sides[name]
        row = {kind: {"sms": number(n), "email": email(n)}[kind] for kind in kinds}
        owners = [has for has in side.contacts.values() if set(has.values()) & set(row.values())]
        if len(owners) > 1 or any(has.get(kind, a) != a for has in owners for kind, a in row.items()):
            return  # two people, or one who has another number by now: not what is tried here
        rows = [{"phone": row.get("sms"), "email": row.get("email")}]
        (result,) = upsert(company=side.company, rows=rows, groups=["All"])
        assert result.contact_id
        before = side.contacts.get(result.contact_id, {})
        now = side.contacts[result.contact_id] = {**before, **row}
        if side.is_wide and len(now) == 2:
            for gained in [a for kind, a in now.items() if kind not in before]:
                (beside,) = (a for a in now.values() if a != gained)
                since = side.out.get(beside)
                if since and gained not in side.out and side.back.get(gained, 0) < since:
                    side.out[gained] = next(self.clock)

    @rule(name=where, n=people)
    def gets_another_number(self, name, n):
        side = self.sides[name]
        found = next((pk for pk, has in side.contacts.items() if email(n) in has.values()), None)
        if found is None or any(new_number(n) in has.values() for has in side.contacts.values()):
            return
        before = side.contacts[found]
        contact = Contact.objects.of(side.company).get(pk=found)
        readdress(contact, phone=new_number(n), email=email(n), by=side.member)
        out = {kind for kind, a in before.items() if a in side.out}
        side.contacts[found] = {**before, "sms": new_number(n)}
        if "sms" in out if "sms" in before else out and side.is_wide:
            side.out.setdefault(new_number(n), next(self.clock))

    @rule(name=where, n=people)
    def is_erased(self, name, n):
        side = self.sides[name]
        for pk in [pk for pk, has in side.contacts.items() if {email(n), number(n)} & set(has.values())]:
            erase(Contact.objects.of(side.company).get(pk=pk), by=side.member)
            del side.contacts[pk]

    # They leave and come back.

    @rule(name=where, n=people, which=which, covers=covers)
    def leaves(self, name, n, which, covers):
        side = self.sides[name]
        consent.opt_out(company=side.company, address=address(n, which), source="api", channels=covers)
        self._is_out(side, address(n, which), covers)

    @rule(name=where, n=people, which=which, covers=covers)
    def comes_back(self, name, n, which, covers):
        side, evidence = self.sides[name], {"method": "form", "text": "Yes, please"}
        consent.opt_in(
            company=side.company, address=address(n, which), source="api", channels=covers, evidence=evidence
        )
        self._is_back(side, address(n, which), covers)

    @rule(name=where, n=people, word=st.sampled_from(["STOP", "Stop!", "START", "what is this about?"]))
    def answers(self, name, n, word):
        self.told.append((name, f"id-{len(self.told)}", number(n).value, word))
        self._deliver(*self.told[-1])
        side = self.sides[name]
        if word == "START":
            self._is_back(side, number(n), ["sms"])
        elif word.startswith("what"):
            side.held.add(number(n))
        else:
            self._is_out(side, number(n), None)
            side.held.discard(number(n))

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def an_answer_is_delivered_again(self, data):
        self._deliver(*data.draw(st.sampled_from(self.told)))

    def _deliver(self, name: str, provider_id: str, sender: str, word: str) -> None:
        gateway = Gateway.objects.of(self.sides[name].company).get()
        replies.receive(gateway=gateway, provider_id=provider_id, sender=sender, to="3010", text=word)

    def _is_out(self, side: Side, acting: Address, covers: list[str] | None) -> None:
        for covered in side.covered(acting, covers):
            side.out.setdefault(covered, next(self.clock))

    def _is_back(self, side: Side, acting: Address, covers: list[str] | None) -> None:
        for covered in side.covered(acting, covers):
            side.out.pop(covered, None)
            side.back[covered] = next(self.clock)

    # What is sent.

    @rule(name=where, channel=st.sampled_from(CHANNELS))
    def a_campaign_is_sent(self, name, channel):
        side = self.sides[name]
        extra = {"subject": "News"} if channel == "email" else {}
        campaign = make.campaign(side.company, make.group(side.company, "All"), channel=channel, **extra)
        campaign.launch()
        audience.build(campaign)
        dispatch.run(category="marketing", seconds=60)
        left = Message.objects.of(side.company).filter(campaign=campaign, status__in=LEFT)
        wanted = [has[channel].value for has in side.contacts.values() if channel in has and side.is_free(has[channel])]
        assert sorted(left.values_list("address", flat=True)) == sorted(wanted)

    @rule(name=where, n=people, which=which)
    def a_single_message_is_sent(self, name, n, which):
        side, to = self.sides[name], address(n, which)
        facts = {"company": side.company, "to": to, **({"subject": "News"} if to.channel == "email" else {})}
        needed = gate.send(body="Your code is 1234", category="transactional", **facts)
        dispatch.run(category="transactional", seconds=60)
        assert Message.objects.of(side.company).get(pk=needed.pk).status in LEFT
        if to in side.out:
            with pytest.raises(gate.Suppressed):
                gate.send(body="Sale", category="marketing", **facts)
            return
        advertising = gate.send(body="Sale", category="marketing", **facts)
        dispatch.run(category="marketing", seconds=60)
        assert (Message.objects.of(side.company).get(pk=advertising.pk).status in LEFT) == side.is_free(to)

    @invariant()
    def the_suppression_list_is_what_the_model_says(self):
        for side in self.sides.values():
            rows = Suppression.objects.of(side.company).values_list("channel", "digest")
            wanted = {(a.channel, a.digest(digest_key())) for a in side.out}
            assert {(channel, bytes(digest)) for channel, digest in rows} == wanted


def test_in_any_order_only_who_is_reachable_is_written_to(db):
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
