"""Whom: contacts and groups, with the adjectives that say who may be reached."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.scoping import CompanyModel, ScopedManager
from addressbook.models.suppression import Suppression
from lib.keys import digest_key
from messaging.addresses import Address

CHANNELS = {"sms": ("phone", "phone_digest"), "email": ("email", "email_digest")}


def _suppressed_on(channel: str) -> Exists:
    digest = CHANNELS[channel][1]
    return Exists(
        Suppression.objects.across_companies().filter(
            company_id=OuterRef("company_id"), channel=channel, digest=OuterRef(digest)
        )
    )


class ContactQuerySet(models.QuerySet["Contact"]):
    def with_suppressed(self) -> ContactQuerySet:
        """Adds `suppressed_sms` and `suppressed_email`."""
        return self.annotate(suppressed_sms=_suppressed_on("sms"), suppressed_email=_suppressed_on("email"))

    def having(self, channel: str) -> ContactQuerySet:
        return self.exclude(**{CHANNELS[channel][1]: None})

    def reachable_by(self, channel: str) -> ContactQuerySet:
        return self.having(channel).filter(~_suppressed_on(channel))

    def reachable(self) -> ContactQuerySet:
        """By at least one channel."""
        return self.filter(
            Q(phone_digest__isnull=False) & ~_suppressed_on("sms")
            | Q(email_digest__isnull=False) & ~_suppressed_on("email")
        )

    def opted_out(self) -> ContactQuerySet:
        """By at least one channel."""
        return self.filter(_suppressed_on("sms") | _suppressed_on("email"))

    def with_address(self, address: Address) -> ContactQuerySet:
        return self.filter(**{CHANNELS[address.channel][1]: address.digest(digest_key())})


class ContactManager(ScopedManager.from_queryset(ContactQuerySet)):  # type: ignore[misc]
    pass


class Contact(CompanyModel):
    """A person in a company's address book: a phone number, an e-mail address, or both."""

    # sql/walls_v2.sql says what the foreign key would, once per statement.
    company = models.ForeignKey(
        "accounts.Company", on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    phone = models.CharField(_("phone"), max_length=16, null=True, blank=True)
    email = models.CharField(_("e-mail"), max_length=254, null=True, blank=True)
    phone_digest = models.BinaryField(max_length=32, null=True, editable=False)
    email_digest = models.BinaryField(max_length=32, null=True, editable=False)
    # No SMS goes there. Known from the number, so it is set wherever the number is.
    landline = models.BooleanField(_("landline"), default=False, db_default=False, editable=False)
    first_name = models.CharField(_("first name"), max_length=100, blank=True)
    last_name = models.CharField(_("last name"), max_length=100, blank=True)
    language = models.CharField(_("language"), max_length=8, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ContactManager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        constraints = [
            models.UniqueConstraint(fields=["company", "phone_digest"], name="one_contact_per_phone"),
            # Half of all contacts may have no e-mail address, and nobody is looked for by that.
            models.UniqueConstraint(
                fields=["company", "email_digest"],
                name="one_contact_per_email",
                condition=Q(email_digest__isnull=False),
            ),
            models.UniqueConstraint(fields=["company", "id"], name="contact_of_company"),
            models.CheckConstraint(
                condition=Q(phone__isnull=False) | Q(email__isnull=False), name="contact_has_an_address"
            ),
            models.CheckConstraint(condition=Q(phone__regex=r"^\+[1-9][0-9]{6,14}$"), name="phone_is_e164"),
            models.CheckConstraint(
                condition=Q(phone__isnull=True, phone_digest__isnull=True)
                | Q(phone__isnull=False, phone_digest__isnull=False),
                name="phone_has_its_digest",
            ),
            models.CheckConstraint(
                condition=Q(email__isnull=True, email_digest__isnull=True)
                | Q(email__isnull=False, email_digest__isnull=False),
                name="email_has_its_digest",
            ),
        ]
        indexes = [
            models.Index("company", "country", "id", name="contact_country"),
            models.Index("company", "language", "id", condition=~Q(language=""), name="contact_language"),
        ]

    def __str__(self) -> str:
        return self.name or self.phone or self.email or ""

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def addresses(self) -> list[Address]:
        found = [("sms", self.phone), ("email", self.email)]
        return [Address(channel, value) for channel, value in found if value]

    def set_address(self, channel: str, address: Address | None) -> None:
        """Sets the address and its digest together."""
        field, digest = CHANNELS[channel]
        setattr(self, field, address.value if address else None)
        setattr(self, digest, address.digest(digest_key()) if address else None)
        if channel == "sms" and address:
            # Laws follow the number, whatever the file or form said about the person.
            self.country = address.country or self.country
        if channel == "sms":
            self.landline = bool(address and address.is_landline)

    def save(self, *args: Any, **kwargs: Any) -> None:
        for address in self.addresses():
            setattr(self, CHANNELS[address.channel][1], address.digest(digest_key()))
        self.landline = bool(self.phone and Address("sms", self.phone).is_landline)
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("addressbook:contact", args=[self.pk])


class GroupQuerySet(models.QuerySet["Group"]):
    def by_hand(self) -> GroupQuerySet:
        """Contacts are put into these and taken out; the others follow their conditions."""
        return self.filter(conditions__isnull=True)

    def dynamic(self) -> GroupQuerySet:
        return self.filter(conditions__isnull=False)

    def topics(self) -> GroupQuerySet:
        """Groups that people may leave on the opt-out page."""
        return self.exclude(topic="")


class GroupManager(ScopedManager.from_queryset(GroupQuerySet)):  # type: ignore[misc]
    pass


class Group(CompanyModel):
    """A named set of contacts: chosen by hand, or whoever meets the conditions (a dynamic group).

    The members of a dynamic group are written like those of any other, by `grouping.refresh`.
    """

    name = models.CharField(_("name"), max_length=100)
    conditions = models.JSONField(_("conditions"), null=True, blank=True, editable=False)
    refreshed_at = models.DateTimeField(_("members as of"), null=True, editable=False)
    # Its name on the opt-out page, where people may leave this group alone; empty when they may not.
    topic = models.CharField(_("name on the opt-out page"), max_length=60, blank=True, default="")
    # Language → the same name.
    topic_texts = models.JSONField(_("names in other languages"), default=dict, blank=True, editable=False)
    contacts = models.ManyToManyField(Contact, through="GroupContact", related_name="groups")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = GroupManager()

    class Meta:
        verbose_name = _("group")
        verbose_name_plural = _("groups")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["company", "name"], name="one_group_per_name"),
            models.UniqueConstraint(fields=["company", "id"], name="group_of_company"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_dynamic(self) -> bool:
        return self.conditions is not None


class GroupContact(CompanyModel):
    """A contact in a group; both of one company.

    sql/walls_v2.sql says all that foreign keys would, once per statement; they would be three more
    rows to look up for every membership of an import.
    """

    company = models.ForeignKey(
        "accounts.Company", on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    group = models.ForeignKey(
        Group, on_delete=models.CASCADE, related_name="memberships", db_constraint=False, db_index=False
    )
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="memberships", db_constraint=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "contact"], name="once_in_a_group")]


class GroupChange(CompanyModel):
    """Everybody whom a filter finds is put into a group, or taken out; done by the worker, in slices of ids."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="changes")
    act = models.CharField(max_length=6, choices=[("add", _("Add to group")), ("remove", _("Remove from group"))])
    conditions = models.JSONField()
    # The contacts with ids from `position` down to 1 are still to be looked at; later ones are not meant.
    position = models.BigIntegerField()
    changed = models.IntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index("id", condition=Q(finished_at=None), name="group_change_waiting")]
