"""Opt-outs beside everything that writes or sends messages, contacts and consent, in every order of their statements.

Acts run on connections of their own, stepped by `stepper`: all schedules up to a number of interruptions. Each must
end as if the acts had come one after the other, and what began to look after an opt-out was acknowledged hands nothing
over.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from itertools import count, permutations

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from accounts.models import Company, User
from accounts.scoping import company_scope
from addressbook import consent
from addressbook.erasure import Busy, erase
from addressbook.models import Contact, Group, GroupContact, Suppression
from addressbook.readdress import readdress
from addressbook.upsert import upsert
from campaigns import audience, dispatch, gate
from campaigns.models import Campaign
from lib.keys import digest_key
from messaging.addresses import Address, parse
from messaging.gateways import ADAPTERS
from messaging.models import Batch, Gateway, HandsetMessage, Message
from optout import replies
from tests import make
from tests.promises.stepper import Run, Stepper, schedules, serially, stepping

pytestmark = pytest.mark.django_db(transaction=True)

CASES = 50
LOOK = "b.claimed_by = "
_numbers = count(10_000_000)
#: What an act may say instead of being done.
ORDERLY = {"", "Busy", "Suppressed", "DoesNotExist"}
OUT, BACK = {"opt_out", "stop"}, {"start"}


@dataclass
class Case:
    """One person, with what is meant for them."""

    stage: Stage
    contact: Contact
    phone: Address
    new_phone: Address
    email: Address
    campaign: Campaign

    # What happens to them.

    def opt_out(self) -> None:
        with transaction.atomic():
            consent.opt_out(company=self.stage.company, address=self.phone, source="api")

    def stop(self) -> None:
        self._reply("STOP")

    def start(self) -> None:
        self._reply("START")

    def _reply(self, text: str) -> None:
        gateway = self.stage.gateway
        replies.receive(gateway=gateway, provider_id=str(uuid.uuid4()), sender=self.phone.value, to="", text=text)

    def build(self) -> None:
        audience.build(self.campaign)

    def send(self) -> None:
        dispatch.run(category="marketing")

    def message(self) -> None:
        gate.send(company=self.stage.company, to=self.phone, body="Sale", category="marketing")

    def add(self) -> None:
        """An import knows their number, and another address."""
        row = {"phone": self.phone, "email": parse(f"other{self.email.value}")}
        upsert(company=self.stage.company, rows=[row])

    def move(self) -> None:
        """An import knows their e-mail address, and another number."""
        upsert(company=self.stage.company, rows=[{"phone": self.new_phone, "email": self.email}])

    def readdress(self) -> None:
        contact = Contact.objects.of(self.stage.company).select_related("company").get(pk=self.contact.pk)
        readdress(contact, phone=self.new_phone, email=self.email, by=self.stage.member)

    def erase(self) -> None:
        erase(self.contact, by=self.stage.member)

    # What became of it.

    def outcome(self) -> tuple[object, ...]:
        company, key = self.stage.company, digest_key()
        names = {a.digest(key): n for n, a in [("old", self.phone), ("new", self.new_phone), ("email", self.email)]}
        out = Suppression.objects.of(company).filter(digest__in=names).values_list("digest", flat=True)
        contact = Contact.objects.of(company).filter(pk=self.contact.pk).first()
        has = [(a.channel, names.get(a.digest(key), "other")) for a in contact.addresses()] if contact else None
        # What stays here is called suppressed or cancelled by whoever came first; that is all the same to the person.
        messages = Message.objects.of(company).filter(digest__in=names)
        left = [(bool(m.campaign_id), m.status == "delivered") for m in messages]
        return tuple(sorted(names[bytes(d)] for d in out)), tuple(has or ()), tuple(sorted(left))


class Stage:
    """A company, and a new person for every run."""

    def __init__(self, stepper: Stepper, *, is_built: bool) -> None:
        self.stepper = stepper
        self.is_built = is_built
        self.company: Company = make.company("Acme", country="NL", opt_out_scope="contact")
        self.member: User = make.member(self.company).user
        self.gateway = Gateway.objects.of(self.company).get()
        self.cases = self._cases()

    def _cases(self) -> Iterator[Case]:
        while True:
            yield from self._fifty()

    def _fifty(self) -> list[Case]:
        contacts = [Contact(company=self.company) for _ in range(CASES)]
        for contact in contacts:
            n = next(_numbers)
            contact.set_address("sms", parse(f"+316{n}"))
            contact.set_address("email", parse(f"person{n}@example.com"))
        Contact.objects.bulk_create(contacts)
        groups = Group.objects.bulk_create(Group(company=self.company, name=f"Group {c.pk}") for c in contacts)
        GroupContact.objects.bulk_create(
            GroupContact(company=self.company, group=g, contact=c) for g, c in zip(groups, contacts, strict=True)
        )
        campaigns = Campaign.objects.bulk_create(
            Campaign(company=self.company, name=g.name, body="Sale", status="sending", launched_at=timezone.now())
            for g in (groups[:1] if self.is_built else groups)
        )
        chosen = Campaign.groups.through
        chosen.objects.bulk_create(
            chosen(campaign=campaigns[0 if self.is_built else n], group=group) for n, group in enumerate(groups)
        )
        if self.is_built:
            audience.build(campaigns[0])
            Batch.objects.of(self.company).filter(status="queued").update(due_at=make.long_ago(-timedelta(days=1)))
            campaigns *= CASES
        return [
            Case(
                stage=self,
                contact=contact,
                phone=Address("sms", contact.phone),
                new_phone=parse(f"+{int(contact.phone[1:]) + 40_000_000}"),
                email=Address("email", contact.email),
                campaign=campaign,
            )
            for contact, campaign in zip(contacts, campaigns, strict=True)
        ]

    def play(self, acts: tuple[str, ...], choose: Callable[[list[str]], str]) -> tuple[Case, Run]:
        case = next(self.cases)
        if self.is_built and "message" not in acts:  # else only that one is sent: two messages are two acts
            waiting = Message.objects.of(self.company).filter(contact=case.contact).values("batch")
            Batch.objects.of(self.company).filter(pk__in=waiting).update(due_at=make.long_ago(timedelta(hours=1)))

        def scoped(act: Callable[[], None]) -> Callable[[], None]:
            def go() -> None:
                with company_scope(self.company):
                    act()

            return go

        run = self.stepper.run({name: scoped(getattr(case, name)) for name in acts}, choose)
        dispatch.run(category="marketing")  # what waits still leaves, or does not
        return case, run


@contextmanager
def stage(acts: tuple[str, ...]) -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as patch, stepping(len(acts)) as stepper:
        patch.setattr(ADAPTERS["simulator"], "batch_size", 1)
        yield Stage(stepper, is_built="build" not in acts)


def result_of(run: Run, name: str) -> str:
    result = run.results[name]
    return type(result).__name__ if isinstance(result, BaseException) else ""


def is_out_when(run: Run, place: int) -> bool:
    """Whether the last word that was acknowledged before this place was a no."""
    said = {name: run.place(name, "done") for name in run.results if name in OUT | BACK}
    said = {name: at for name, at in said.items() if -1 < at < place}
    return bool(said) and max(said, key=said.__getitem__) in OUT


def assert_nothing_leaks(case: Case, run: Run) -> None:
    got = HandsetMessage.objects.of(case.stage.company).filter(to=case.phone.value, text__startswith="Sale").count()
    looked = run.place("send", LOOK)
    end = len(run.steps)
    if is_out_when(run, looked if looked >= 0 else end) and BACK.isdisjoint(run.results):
        assert got == 0, f"handed over to {case.contact.pk} after their opt-out\n{run}"
    messages = Message.objects.of(case.stage.company).filter(address=case.phone.value, category="marketing")
    assert got == messages.filter(status="delivered").count(), f"lost or twice\n{run}"


def explore(acts: tuple[str, ...], switches: int) -> int:
    tried = 0
    with stage(acts) as here:
        serial: dict[tuple[str, ...], set[object]] = {}

        def one_after_the_other(names: tuple[str, ...]) -> set[object]:
            if names not in serial:
                plays = [here.play(names, serially(*order)) for order in permutations(names)]
                serial[names] = {outcome(case, run, names) for case, run in plays}
            return serial[names]

        def outcome(case: Case, run: Run, names: tuple[str, ...]) -> object:
            return (*case.outcome(), tuple(result_of(run, name) for name in names))

        for case, run in schedules(lambda choose: here.play(acts, choose), switches=switches):
            tried += 1
            for name in acts:
                assert result_of(run, name) in ORDERLY, f"{run.results[name]!r}\n{run}"
            assert_nothing_leaks(case, run)
            # Who was told to come back later has not been there.
            names = tuple(name for name in acts if not isinstance(run.results[name], Busy))
            assert outcome(case, run, names) in one_after_the_other(names), f"like no serial order\n{run}"
        call_command("verify_ledger", stdout=StringIO())
        assert not Batch.objects.of(here.company).filter(status="handing").exists()
    return tried


#: Acts, how often they are interrupted in all (9: every schedule there is), and how many schedules that are.
SCHEDULES = [
    (("opt_out", "send"), 9, 40),
    (("opt_out", "build"), 9, 110),
    (("opt_out", "message"), 9, 24),
    (("opt_out", "add"), 9, 12),
    (("opt_out", "move"), 9, 12),
    (("opt_out", "readdress"), 9, 11),
    (("opt_out", "erase"), 9, 18),
    (("opt_out", "start"), 9, 9),
    (("opt_out", "start", "send"), 1, 50),
    (("opt_out", "erase", "send"), 1, 140),
    (("opt_out", "move", "build"), 1, 120),
    (("opt_out", "readdress", "send"), 1, 90),
    (("opt_out", "start", "message"), 1, 50),
    (("readdress", "erase"), 2, 45),
    (("message", "erase"), 2, 55),
    (("stop", "erase", "message"), 1, 140),
    (("stop", "send"), 9, 9),
    (("stop", "start"), 9, 9),
    (("opt_out", "message", "send"), 1, 35),
    (("opt_out", "erase", "build"), 1, 220),
    (("opt_out", "add", "send"), 1, 90),
    (("opt_out", "start", "build"), 1, 120),
    (("move", "erase"), 2, 45),
    (("build", "erase"), 2, 200),
    (("start", "erase"), 2, 60),
    (("stop", "build"), 2, 12),
    (("stop", "readdress"), 2, 6),
    (("stop", "start", "send"), 1, 100),
    (("opt_out", "stop", "send"), 1, 45),
]


@pytest.mark.parametrize(("acts", "switches", "at_least"), SCHEDULES)
def test_every_schedule_ends_as_a_serial_order_and_nothing_leaves_after_the_opt_out(acts, switches, at_least):
    tried = explore(acts, switches)
    assert tried >= at_least
