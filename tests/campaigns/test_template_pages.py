"""Settings → Transactional templates."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import Company, User
from campaigns.models import TransactionalTemplate
from campaigns.transactional import MOST_TEMPLATES
from tests import make

LIST, NEW, PREVIEW = "/settings/templates", "/settings/templates/new", "/settings/templates/preview"
CODE = {"name": "code", "channel": "", "language": "", "subject": "", "body": "Your code is {code}", "linking": ""}


@pytest.fixture
def marketer(client, world):
    client.force_login(world.marketer.user)
    return client


@pytest.fixture
def template(world) -> TransactionalTemplate:
    return TransactionalTemplate.objects.create(company=world.acme, name="code", body="Your code is {code}")


def _only(company) -> TransactionalTemplate:
    return TransactionalTemplate.objects.of(company).get()


def test_a_marketer_adds_a_template(marketer, world):
    answer = marketer.post(
        NEW, {**CODE, "body": "Your code is {code}:\r\n{link}", "linking": "{link}", "language": "NL"}
    )
    assert answer.status_code == 302
    made = _only(world.acme)
    assert (made.body, made.linking, made.language) == ("Your code is {code}:\n{link}", ["link"], "nl")
    assert made.updated_by == world.marketer.user
    assert "Your code is" in marketer.get(LIST).content.decode()


def test_a_template_is_edited(marketer, world, template):
    address = f"{LIST}/{template.pk}"
    assert "Your code is {code}" in marketer.get(address).content.decode()
    assert marketer.post(address, {**CODE, "body": "Log in with {code}"}).status_code == 302
    assert _only(world.acme).body == "Log in with {code}"


def test_a_template_is_deleted_after_a_question(marketer, world, template):
    address = f"{LIST}/{template.pk}/delete"
    assert marketer.get(address).status_code == 200
    assert TransactionalTemplate.objects.of(world.acme).exists()
    assert marketer.post(address).status_code == 302
    assert not TransactionalTemplate.objects.of(world.acme).exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a\nb"),
        ("name", "x" * 101),
        ("channel", "fax"),
        ("language", "klingon!"),
        ("subject", "{subject}"),
        ("body", "{text}"),
        ("body", "Your code is {code"),
        ("body", "Your code is {code} {opt_out}"),
        ("body", "Your code is {a}{b}"),
        ("linking", "nothing"),
    ],
)
def test_what_cannot_be_is_named_at_its_field(marketer, world, field, value):
    answer = marketer.post(NEW, {**CODE, field: value})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not TransactionalTemplate.objects.of(world.acme).exists()


def test_a_template_for_email_needs_a_subject(marketer):
    assert "subject" in marketer.post(NEW, {**CODE, "channel": "email"}).context["form"].errors


def test_a_template_for_sms_has_no_subject(marketer, world):
    marketer.post(NEW, {**CODE, "channel": "sms", "subject": "Your code"})
    assert _only(world.acme).subject == ""


def test_two_templates_have_two_names(marketer, world, template):
    assert "name" in marketer.post(NEW, CODE).context["form"].errors
    other = TransactionalTemplate.objects.create(company=world.rival, name="parcel", body="Your parcel")
    assert marketer.post(NEW, {**CODE, "name": other.name}).status_code == 302


def test_a_company_has_so_many_templates(marketer, world):
    TransactionalTemplate.objects.bulk_create(
        TransactionalTemplate(company=world.acme, name=str(n), body="Hello") for n in range(MOST_TEMPLATES)
    )
    assert "name" in marketer.post(NEW, CODE).context["form"].errors


def test_what_reads_like_marketing_is_said_and_stored_all_the_same(marketer, world):
    answer = marketer.post(NEW, {**CODE, "body": "Sale: half price today, {name}"}, follow=True)
    page = answer.content.decode()
    assert "reads like marketing" in page
    assert "tag warn" in page
    assert "This text reads like marketing: “" in marketer.get(f"{LIST}/{_only(world.acme).pk}").content.decode()


def test_the_preview_counts_segments_and_stores_nothing(marketer, world):
    page = marketer.post(PREVIEW, {**CODE, "body": "Hello {name}. " + "x" * 160}).content.decode()
    assert "2 segments · GSM-7" in page
    assert "Hello name. " in page
    assert not TransactionalTemplate.objects.of(world.acme).exists()


def test_the_preview_says_what_is_wrong_and_what_is_costly(marketer):
    assert "cannot be sent yet" in marketer.post(PREVIEW, {**CODE, "body": "{x}"}).content.decode()
    assert "UCS-2" in marketer.post(PREVIEW, {**CODE, "body": "Your code – {x}"}).content.decode()
    assert "reads like marketing" in marketer.post(PREVIEW, {**CODE, "body": "Sale today"}).content.decode()


def test_a_viewer_sees_no_templates(client, world, template):
    client.force_login(world.viewer.user)
    assert client.get(LIST).status_code == 403
    assert LIST not in client.get("/settings").content.decode()


def test_the_page_says_whether_templates_are_required(marketer, world):
    assert "Templates are optional" in marketer.get(LIST).content.decode()
    Company.objects.filter(pk=world.acme.pk).update(templates_required=True)
    assert "from these templates only" in marketer.get(LIST).content.decode()


def _of_company(company) -> str:
    return reverse("admin:accounts_company_change", args=[company.pk])


def _form(page) -> dict:
    initial = page.context["adminform"].form.initial
    fields = {name: value for name, value in initial.items() if value not in (None, False)}
    return {**fields, "members-TOTAL_FORMS": 0, "members-INITIAL_FORMS": 0}


def test_an_administrator_requires_templates(client, world):
    client.force_login(User.objects.create_superuser("admin@stopgate.example", make.PASSWORD))
    address = _of_company(world.acme)
    answer = client.post(address, {**_form(client.get(address)), "templates_required": "on"})
    assert answer.status_code == 302, answer.context["adminform"].errors
    world.acme.refresh_from_db()
    assert world.acme.templates_required


def test_staff_without_all_rights_only_sees_the_switch(client, world):
    user = User.objects.create_user("staff@stopgate.example", make.PASSWORD, is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(content_type__app_label="accounts"))
    client.force_login(user)
    address = _of_company(world.acme)
    answer = client.post(address, {**_form(client.get(address)), "templates_required": "on"})
    assert answer.status_code == 302
    world.acme.refresh_from_db()
    assert not world.acme.templates_required


def test_an_owner_cannot_set_the_switch(client, world):
    client.force_login(world.owner.user)
    page = client.get("/settings")
    fields = {name: value for name, value in page.context["form"].initial.items() if value not in (None, False)}
    client.post("/settings", {**fields, "templates_required": "on"})
    world.acme.refresh_from_db()
    assert not world.acme.templates_required
