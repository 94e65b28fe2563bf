"""The operators' door: the commands of the contract, and clear words for wrong arguments."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import uuid
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import Company, Member, User
from addressbook import consent, erasure
from api.models import ApiKey
from campaigns import audience
from messaging.addresses import Address
from messaging.models import Gateway, HandsetMessage, Sender
from optout.models import Reason
from tests import make, processes
from tests.world import PHONE, World

pytestmark = pytest.mark.django_db


def run(*arguments: str, **options) -> dict:
    """What a command prints, which is one JSON object."""
    out = StringIO()
    call_command(*arguments, stdout=out, **options)
    return json.loads(out.getvalue())


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as problem:
        call_command(*arguments, stdout=StringIO())
    return str(problem.value)


def create(name: str = "Bloom & Co", owner: str = "Owner@Bloom.example", *more: str) -> dict:
    return run("create_company", name, "--owner", owner, "--password", make.PASSWORD, *more)


# create_company


def test_create_company_prints_slug_owner_and_key(db):
    made = create()

    assert made.keys() == {"company", "owner", "api_key"}
    assert (made["company"], made["owner"]) == ("bloom-co", "owner@bloom.example")
    assert ApiKey.of_text(made["api_key"]).company.slug == "bloom-co"


def test_a_new_company_has_all_it_needs_to_send(db):
    company = Company.objects.get(slug=create()["company"])

    assert Member.objects.get(company=company).role == "owner"
    assert User.objects.get(email="owner@bloom.example").check_password(make.PASSWORD)
    assert Gateway.objects.of(company).get(is_default=True).kind == "simulator"
    assert Reason.objects.of(company).exists()


def test_create_company_knows_country_and_language(db):
    made = create("Bloom", "o@b.example", "--country", "nl", "--language", "nl")

    company = Company.objects.get(slug=made["company"])
    assert (company.country, company.language) == ("NL", "nl")


def test_two_companies_of_one_name_get_two_slugs(db):
    assert [create(owner=f"{n}@b.example")["company"] for n in range(3)] == ["bloom-co", "bloom-co-2", "bloom-co-3"]


def test_one_person_may_own_two_companies(db):
    create()
    create("Second")

    assert User.objects.get(email="owner@bloom.example").memberships.count() == 2


def test_another_password_for_a_known_owner_changes_nothing(db):
    create()

    assert "another password" in refused("create_company", "X", "--owner", "owner@bloom.example", "--password", "wrong")
    assert Company.objects.count() == 1
    assert User.objects.get().check_password(make.PASSWORD)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["X", "--owner", "nobody"], "e-mail"),
        (["X", "--owner", "new@b.example"], "--password"),
        (["X"], "--owner"),
        (["", "--owner", "o@b.example", "--password", "pw"], "1 to 100"),
        (["x" * 101, "--owner", "o@b.example", "--password", "pw"], "1 to 100"),
        (["a\x00b", "--owner", "o@b.example", "--password", "pw"], "one line"),
        (["X", "--owner", "o@b.example", "--password", "pw", "--country", "XX"], "for example NL"),
        (["X", "--owner", "o@b.example", "--password", "pw", "--language", "klingon"], "for example nl"),
    ],
)
def test_create_company_says_what_to_mend(db, arguments, words):
    assert words in refused("create_company", *arguments)
    assert not Company.objects.exists()
    assert not User.objects.exists()


# add_member


def test_add_member_lets_a_new_person_in(world):
    run("add_member", "Mia@Acme.example", "--company", "acme", "--role", "viewer", "--password", make.PASSWORD)

    member = Member.objects.get(user__email="mia@acme.example")
    assert (member.company, member.role) == (world.acme, "viewer")
    assert member.user.check_password(make.PASSWORD)


def test_add_member_again_changes_the_role(world):
    for role in ("viewer", "marketer"):
        run("add_member", "mia@acme.example", "--company", "acme", "--role", role, "--password", make.PASSWORD)

    assert Member.objects.get(user__email="mia@acme.example").role == "marketer"


def test_add_member_takes_somebody_known_without_a_password(world):
    run("add_member", world.stranger.user.email, "--company", "acme", "--role", "viewer")

    assert Member.objects.filter(company=world.acme, user=world.stranger.user).exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mia@acme.example", "--company", "nowhere", "--role", "viewer", "--password", "pw"], "Known: acme, rival"),
        (["mia@acme.example", "--company", "acme", "--role", "boss", "--password", "pw"], "marketer"),
        (["mia@acme.example", "--company", "acme", "--role", "viewer"], "--password"),
        (["mia", "--company", "acme", "--role", "viewer", "--password", "pw"], "e-mail"),
        (["owner@acme.example", "--company", "acme", "--role", "viewer"], "at least one owner"),
        (["owner@acme.example", "--company", "acme", "--role", "owner", "--password", "wrong"], "another password"),
    ],
)
def test_add_member_says_what_to_mend(world, arguments, words):
    before = Member.objects.count()

    assert words in refused("add_member", *arguments)
    assert Member.objects.count() == before


# create_api_key


def test_create_api_key_prints_a_key_with_its_scopes(world):
    made = run("create_api_key", "--company", "acme", "--name", "shop", "--scope", "read", "--scope", "lift")

    key = ApiKey.of_text(made["api_key"])
    assert made.keys() == {"api_key"}
    assert (key.company, key.scopes, key.name) == (world.acme, ["read", "lift"], "shop")


def test_the_key_itself_is_not_kept(world):
    text = run("create_api_key", "--company", "acme", "--name", "shop", "--scope", "read")["api_key"]

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM api_apikey k WHERE k::text LIKE '%%' || %s || '%%'", [text])
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("scope", ["read", "write", "send", "lift", "admin"])
def test_every_scope_of_the_contract_can_be_given(world, scope):
    assert run("create_api_key", "--company", "acme", "--name", "x", "--scope", scope)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--company", "acme", "--name", "x"], "--scope"),
        (["--company", "acme", "--name", "x", "--scope", "all"], "read"),
        (["--company", "nowhere", "--name", "x", "--scope", "read"], "Known:"),
        (["--company", "acme", "--name", "", "--scope", "read"], "1 to 100"),
    ],
)
def test_create_api_key_says_what_to_mend(world, arguments, words):
    assert words in refused("create_api_key", *arguments)
    assert not ApiKey.objects.of(world.acme).exists()


# add_gateway

ACCOUNTS = {
    "simulator": [],
    "cm": ["product_token=t=1"],
    "twilio": ["account_sid=AC1", "auth_token=s"],
    "vonage": ["api_key=k", "api_secret=s", "signature_secret=x", "application_id=a", "private_key=p"],
    "smtp": ["host=mail.example", "port=587", "username=u", "password=p", "from_email=news@acme.example"],
}


def add_gateway(kind: str, *more: str) -> dict:
    settings = ["--set", *ACCOUNTS[kind]] if ACCOUNTS[kind] else []
    return run("add_gateway", "--company", "acme", "--kind", kind, *settings, *more)


@pytest.mark.parametrize("kind", ACCOUNTS)
def test_add_gateway_prints_its_id_and_where_its_webhooks_go(world, settings, kind):
    made = add_gateway(kind)

    assert uuid.UUID(made["id"])
    assert made["inbound"] == f"{settings.APP_URL}/hooks/{kind}/{made['id']}/inbound"
    assert made["status"] == f"{settings.APP_URL}/hooks/{kind}/{made['id']}/status"


def test_a_gateway_keeps_its_settings_but_not_in_the_open(world):
    made = add_gateway("cm")

    gateway = Gateway.objects.of(world.acme).get(token=made["id"])
    assert gateway.settings == {"product_token": "t=1"}
    assert b"t=1" not in bytes(gateway.sealed_settings)


def test_settings_may_be_given_one_by_one_and_point_elsewhere(world):
    made = run(
        *["add_gateway", "--company", "acme", "--kind", "cm", "--set", "product_token=t"],
        *["--set", "base_url=http://127.0.0.1:9000/cm"],
    )

    assert Gateway.objects.of(world.acme).get(token=made["id"]).settings["base_url"] == "http://127.0.0.1:9000/cm"


def test_a_second_gateway_becomes_the_default_only_when_asked(world):
    add_gateway("cm")
    assert Gateway.objects.of(world.acme).get(is_default=True).kind == "simulator"

    add_gateway("twilio", "--default")
    assert Gateway.objects.of(world.acme).get(is_default=True).kind == "twilio"
    assert Gateway.objects.of(world.rival).get(is_default=True).kind == "simulator"


def test_the_first_gateway_is_the_default(world):
    Gateway.objects.of(world.acme).delete()

    add_gateway("simulator")

    assert Gateway.objects.of(world.acme).get().is_default


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--kind", "pigeon"], "smtp, sparkpost, twilio, vonage"),
        (["--kind", "cm"], "needs product_token"),
        (["--kind", "twilio", "--set", "account_sid=x"], "needs auth_token"),
        (["--kind", "cm", "--set", "product_token"], "KEY=VALUE"),
        (["--kind", "cm", "--set", "product_token="], "product_token=VALUE"),
        (["--kind", "cm", "--set", "product_token=a", "colour=red"], "takes: product_token"),
        (["--kind", "cm", "--set", "product_token=a", "product_token=b"], "twice"),
        (["--kind", "cm", "--set", "product_token=a", "base_url=ftp://x"], "https://host"),
        (["--kind", "smtp", "--set", "host=a", "from_email=a@b.example", "port=many"], "port"),
        (["--kind", "simulator", "--set", "a=b"], "no setting"),
    ],
)
def test_add_gateway_says_what_to_mend(world, arguments, words):
    said = refused("add_gateway", "--company", "acme", *arguments)

    assert words in said
    assert Gateway.objects.of(world.acme).count() == 1


def test_where_no_gateway_carries_the_channel_nothing_is_sent(world):
    Gateway.objects.of(world.acme).delete()
    add_gateway("cm", "--default")

    with pytest.raises(audience.NoGateway):
        audience.gateway_of(world.acme, channel="email")


# add_sender


@pytest.mark.parametrize(
    ("sender", "kind"), [("36179", "short_code"), ("+31970102030", "long_code"), ("ACME", "alphanumeric")]
)
def test_add_sender_registers_each_kind(world, sender, kind):
    run("add_sender", sender, "--kind", kind, "--company", "acme")

    made = Sender.objects.get(value=sender)
    assert (made.company, made.kind, made.country) == (world.acme, kind, "")


def test_a_shared_short_code_is_for_everybody(world):
    run("add_sender", "36179", "--kind", "short_code", "--shared", "--country", "FR")

    assert Sender.objects.get().company is None
    assert Sender.objects.usable_by(world.rival).exists()


def test_a_sender_for_several_countries(world):
    run("add_sender", "1008", "--kind", "short_code", "--shared", "--country", "FR", "be", "--country", "FR")

    assert sorted(Sender.objects.values_list("country", flat=True)) == ["BE", "FR"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["12", "--kind", "short_code", "--shared"], "3 to 8 digits"),
        (["ABC", "--kind", "short_code", "--shared"], "3 to 8 digits"),
        (["+31", "--kind", "long_code", "--shared"], "+31970102030"),
        (["WAY TOO LONG NAME", "--kind", "alphanumeric", "--company", "acme"], "11 characters"),
        (["12345", "--kind", "alphanumeric", "--company", "acme"], "needs a letter"),
        (["A\x00B", "--kind", "alphanumeric", "--company", "acme"], "plain letters"),
        (["36179", "--kind", "pager", "--shared"], "short_code"),
        (["36179", "--kind", "short_code"], "--shared"),
        (["36179", "--kind", "short_code", "--shared", "--company", "acme"], "not allowed with"),
        (["36179", "--kind", "short_code", "--shared", "--country", "Frankreich"], "for example NL"),
        (["36179", "--kind", "short_code", "--shared", "--country", "FR", "XX"], "for example NL"),
        (["36179", "--kind", "short_code", "--company", "nowhere"], "Known:"),
    ],
)
def test_add_sender_says_what_to_mend(world, arguments, words):
    assert words in refused("add_sender", *arguments)
    assert not Sender.objects.exists()


def test_a_sender_is_registered_once(world):
    run("add_sender", "36179", "--kind", "short_code", "--shared", "--country", "FR")

    assert "already" in refused("add_sender", "36179", "--kind", "short_code", "--shared", "--country", "GB", "FR")
    assert Sender.objects.count() == 1


# verify_ledger


@pytest.fixture
def ledger(world):
    for company in (world.acme, world.rival):
        consent.opt_out(company=company, address=Address("sms", PHONE), source="api", comment="too many")
    consent.opt_in(company=world.acme, address=Address("sms", PHONE), source="api", evidence={"method": "paper"})
    consent.opt_out(company=world.acme, address=Address("sms", PHONE), source="reply")


def tamper(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_an_intact_ledger_is_verified(world, ledger):
    call_command("verify_ledger", stdout=StringIO())
    call_command("verify_ledger", "--company", "acme", stdout=StringIO())


def test_an_empty_ledger_is_intact(db):
    call_command("verify_ledger", stdout=StringIO())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE addressbook_consentevent SET reason = 'x' WHERE type = 'opt_in'",
        "UPDATE addressbook_consentevent SET occurred_at = occurred_at - interval '1 day'",
        "UPDATE addressbook_consentevent SET hash = sha256('x'), type = 'opt_in'",
        "DELETE FROM addressbook_consentevent WHERE type = 'opt_in'",
        "DELETE FROM addressbook_consentevent",
        "DELETE FROM addressbook_consentevent WHERE source = 'reply'",
        "DELETE FROM addressbook_suppression",
        "DELETE FROM addressbook_evidence",
        "UPDATE addressbook_evidence SET comment = 'please more'",
        "UPDATE addressbook_suppression SET event_id = event_id + 1000",
        "UPDATE addressbook_ledgerhead SET hash = sha256('x')",
    ],
)
def test_whatever_was_tampered_with_is_found(world, ledger, statement):
    tamper(statement)

    said = refused("verify_ledger")

    assert re.match(r"The ledger is not intact\.\n(acme|rival): ", said)
    assert PHONE not in said


def test_one_company_s_trouble_is_not_another_s(world, ledger):
    tamper(f"UPDATE addressbook_consentevent SET reason = 'x' WHERE company_id = {world.rival.pk}")

    call_command("verify_ledger", "--company", "acme", stdout=StringIO())
    assert "rival: line" in refused("verify_ledger", "--company", "rival")
    assert "Known:" in refused("verify_ledger", "--company", "nowhere")


def test_an_erasure_is_no_trouble(world, ledger):
    erasure.erase(world.contact, by=world.owner.user)

    call_command("verify_ledger", stdout=StringIO())


# As processes


@pytest.mark.django_db(transaction=True)
class TestAsProcesses:
    @pytest.fixture
    def world(self, transactional_db) -> World:
        return World.make()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=processes.ROOT,
            env=processes.environment(EMAIL_URL="consolemail://"),
            capture_output=True,
            text=True,
            check=False,
        )

    def test_create_company_prints_nothing_but_its_json(self, transactional_db):
        done = self.manage("create_company", "Bloom", "--owner", "o@b.example", "--password", make.PASSWORD)

        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["company"] == "bloom"

    def test_add_gateway_takes_its_settings(self, world):
        done = self.manage("add_gateway", "--company", "acme", "--kind", "cm", "--set", "product_token=t", "--default")

        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout).keys() == {"id", "inbound", "status"}

    def test_a_refusal_is_one_line_without_a_traceback(self, world):
        done = self.manage("create_api_key", "--company", "nowhere", "--name", "x", "--scope", "read")

        assert done.returncode != 0
        assert done.stdout == ""
        assert "Known: acme, rival" in done.stderr
        assert "Traceback" not in done.stderr

    def test_verify_ledger_s_exit_code_tells(self, world):
        consent.opt_out(company=world.acme, address=Address("sms", PHONE), source="api")
        assert self.manage("verify_ledger").returncode == 0

        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("UPDATE addressbook_consentevent SET reason = 'x'")
            cursor.execute("SET session_replication_role = origin")
        assert self.manage("verify_ledger", "--company", "acme").returncode == 1
        assert self.manage("verify_ledger", "--company", "rival").returncode == 0

    def test_drain_does_all_that_is_due_and_ends(self, world):
        make.campaign(world.acme, world.customers).launch()

        done = self.manage("worker", "--drain")

        assert done.returncode == 0, done.stderr
        assert HandsetMessage.objects.of(world.acme).count() == 1
        assert self.manage("worker", "--drain").returncode == 0
        assert HandsetMessage.objects.of(world.acme).count() == 1

    def test_drain_does_what_is_no_campaign_too(self, world):
        from lib.wake import wake

        wake("accounts.send_password_mail", email=world.viewer.user.email)

        done = self.manage("worker", "--drain")

        assert done.returncode == 0
        assert f"To: {world.viewer.user.email}" in done.stdout

    def test_a_worker_stops_when_told(self, world):
        make.campaign(world.acme, world.customers).launch()
        worker = processes.manage("worker")
        try:
            processes.until(lambda: HandsetMessage.objects.of(world.acme).exists())
        finally:
            worker.terminate()
        worker.communicate(timeout=30)

        assert worker.returncode == 0
