"""Every page of the administrators, opened."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from accounts.models import Company, User
from addressbook import consent
from addressbook.models import ConsentEvent, Suppression
from messaging.addresses import Address
from messaging.models import Gateway
from optout.models import DestinationRule, Reason
from tests import make
from tests.world import PHONE

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


def _url(model, action, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{action}", args=args)


@pytest.fixture
def administrator(client, world):
    client.force_login(User.objects.create_superuser("admin@stopgate.example", make.PASSWORD))
    consent.opt_out(company=world.acme, address=Address("sms", PHONE), source="api", comment="no more")
    return client


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m._meta.label)
def test_a_list_opens(administrator, model):
    assert administrator.get(_url(model, "changelist")).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m._meta.label)
@pytest.mark.parametrize("text", ["x", PHONE, "sanne@devries.example", "\x00", "٣" * 300, "9" * 40, "%_'\"\\"])
def test_a_search_for_anything_is_answered(administrator, model, text):
    answer = administrator.get(_url(model, "changelist"), {"q": text})
    assert answer.status_code in {200, 302, 400}


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m._meta.label)
def test_a_row_opens(administrator, model):
    manager = model._default_manager
    rows = manager.across_companies() if hasattr(manager, "across_companies") else manager.all()
    for row in rows[:1]:
        assert administrator.get(_url(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", [ConsentEvent, Suppression], ids=lambda m: m._meta.label)
def test_the_ledger_can_only_be_looked_at(administrator, model):
    row = model.objects.across_companies().first()
    assert administrator.get(_url(model, "add")).status_code == 403
    assert administrator.post(_url(model, "change", row.pk), {"reason": "changed"}).status_code == 403
    assert administrator.post(_url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.across_companies().filter(pk=row.pk).exists()


def test_a_suppression_is_found_by_any_writing_of_the_number(administrator):
    page = administrator.get(_url(Suppression, "changelist"), {"q": "+31 6 1234 5678"})
    assert page.context["cl"].result_count == 1


def test_a_company_added_here_can_send_at_once(administrator):
    form = {"name": "New", "slug": "new", "country": "NL", "language": "nl", "opt_out_scope": "contact"}
    inline = {"members-TOTAL_FORMS": 0, "members-INITIAL_FORMS": 0}
    answer = administrator.post(_url(Company, "add"), {**form, **inline})
    assert answer.status_code == 302, answer.context["adminform"].errors
    made = Company.objects.get(slug="new")
    assert Gateway.objects.of(made).filter(kind="simulator", is_default=True).exists()
    assert Reason.objects.of(made).exists()


def test_a_destination_rule_is_edited(administrator):
    rule = DestinationRule.objects.get(country="NL")
    page = administrator.get(_url(DestinationRule, "change", rule.pk))
    form = {name: value for name, value in page.context["adminform"].form.initial.items() if value is not None}
    form |= {"methods": '["link"]', "languages": '["nl"]', "window": "{}", "keyword": "HALT"}
    answer = administrator.post(_url(DestinationRule, "change", rule.pk), form)
    assert answer.status_code == 302, answer.context["adminform"].errors
    rule.refresh_from_db()
    assert (rule.methods, rule.keyword) == (["link"], "HALT")


def test_a_member_is_no_administrator(client, world):
    client.force_login(world.owner.user)
    assert client.get(reverse("admin:index")).status_code in {302, 403}
    assert client.get(_url(ConsentEvent, "changelist")).status_code in {302, 403}
