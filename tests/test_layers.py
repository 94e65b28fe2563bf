"""How the house is built: imports run one way, few look across companies, pages hold no script, logs no numbers."""

from __future__ import annotations

import ast
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from addressbook import consent
from campaigns import audience, dispatch, gate
from messaging.addresses import Address
from messaging.gateways import Simulator
from messaging.models import Gateway
from optout import replies
from tests import make
from tests.processes import ROOT
from tests.world import PHONE

APPS = ("accounts", "addressbook", "api", "campaigns", "config", "lib", "messaging", "optout", "webhooks")
#: Who may look across companies, and why.
ACROSS = {
    "accounts/admin.py": "administrators see every company",
    "addressbook/models/contact.py": "inside a subquery that is tied to the row's company",
    "addressbook/grouping.py": "the worker",
    "addressbook/imports/run.py": "the worker",
    "addressbook/imports/storage.py": "the worker",
    "addressbook/imports/undo.py": "the worker",
    "addressbook/retention.py": "the worker",
    "addressbook/telling.py": "the worker",
    "api/idempotency.py": "old answers are swept for all",
    "api/models.py": "a key tells the company",
    "campaigns/dispatch.py": "the worker",
    "config/checks.py": "at start-up",
    "optout/hooks/taking.py": "the worker",
    "optout/landing/coming_back.py": "old requests are swept for all",
    "optout/marketing_hours.py": "a rule is every company's",
    "optout/hooks/views.py": "the address of the hook tells the company",
    "optout/portal.py": "the worker",
    "optout/replies.py": "the worker",
    "webhooks/payloads.py": "a reply on a shared code is kept by the code's owner",
}
#: Templates of recipients' pages may hold one <style> with a nonce.
LANDING = "templates/landing"


def sources() -> Iterator[Path]:
    for app in APPS:
        yield from (ROOT / app).rglob("*.py")


def templates() -> list[Path]:
    return [path for path in ROOT.rglob("templates/**/*") if path.is_file() and ".venv" not in path.parts]


def test_imports_run_one_way():
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout


def test_few_look_across_companies():
    callers = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "across_companies":
                callers.add(str(path.relative_to(ROOT)))

    assert callers == set(ACROSS)


def test_nobody_takes_a_manager_without_walls():
    """`_base_manager` and raw querysets know no company; `Message` names it in a function of the database."""
    offenders = [
        str(path.relative_to(ROOT))
        for path in sources()
        if re.search(r"\._base_manager|\.objects\.raw\(|\bRawSQL\(|\.extra\(", path.read_text("utf-8"))
    ]

    assert set(offenders) <= {"messaging/models/message.py"}


def test_no_module_is_longer_than_one_sitting():
    assert [str(path) for path in sources() if len(path.read_text("utf-8").splitlines()) > 450] == []


def test_templates_trust_no_text():
    for path in (path for path in templates() if path.suffix != ".txt"):  # a plain mail is not HTML
        text = path.read_text("utf-8")
        assert not re.search(r"\|\s*safe\b|\bautoescape\s+off|\|\s*safeseq\b", text), path


def test_pages_hold_no_script_and_no_style():
    for path in templates():
        text = path.read_text("utf-8")
        assert not re.search(r"<[^>]*\son[a-z]+\s*=", text), f"{path}: an event handler"
        assert "javascript:" not in text, path
        for tag in re.findall(r"<script\b[^>]*>", text):
            assert "src=" in tag, f"{path}: {tag}"
        if LANDING not in str(path):
            assert not re.search(r"<[^>]*\sstyle\s*=", text), f"{path}: a style attribute"
            assert "<style" not in text, path


@pytest.mark.parametrize("word", ["mark_safe", "csrf_exempt", "eval(", "exec(", "pickle", "shell=True"])
def test_few_use_what_is_dangerous(word):
    allowed = {
        "mark_safe": {"campaigns/preview.py"},  # HTML out of Markdown; tests/campaigns/test_letter.py
        "csrf_exempt": {"optout/landing/views.py", "optout/hooks/views.py", "config/trial_urls.py"},
    }
    pattern = re.compile(rf"(?<![\w.]){re.escape(word)}")
    users = {str(path.relative_to(ROOT)) for path in sources() if pattern.search(path.read_text("utf-8"))}

    assert users <= allowed.get(word, set())


class Loud(Simulator):
    """Fails with a number in its words, as libraries do."""

    def send(self, messages):
        raise RuntimeError(f"cannot send to {messages[0].to}: {messages[0].text}")


@pytest.mark.django_db
def test_the_logs_hold_no_number_no_address_and_no_text(world, caplog, monkeypatch, client, capfd):
    """The whole loop, with everything logged that anybody logs."""
    caplog.set_level(logging.DEBUG)
    for name in ("django.db.backends", "asyncio"):
        logging.getLogger(name).setLevel(logging.INFO)  # statements are logged in no environment
    body, comment = "Secret words of the sale", "Secret words of the reply"
    campaign = make.campaign(world.acme, world.customers, body=body)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing")
    gate.send(company=world.acme, to=Address("sms", PHONE), body=body, category="transactional")
    with monkeypatch.context() as patch:
        patch.setitem(dispatch.ADAPTERS, "simulator", Loud)
        dispatch.run(category="transactional")
    gateway = Gateway.objects.of(world.acme).get()
    for text in (f"STOP {comment}", "STOP", "START", comment):
        replies.receive(gateway=gateway, provider_id="", sender=PHONE, to="36179", text=text)
    consent.opt_out(company=world.acme, address=Address("sms", PHONE), source="api", comment=comment)
    client.force_login(world.owner.user)
    client.get("/contacts/", {"q": PHONE})
    client.post("/contacts/add/", {"phone": PHONE, "first_name": "x" * 500})
    dispatch.sweep()

    said = caplog.text + "".join(capfd.readouterr())
    for secret in (PHONE, PHONE[1:], world.contact.email, body, comment):
        assert secret not in said
