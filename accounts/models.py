"""Who: companies, their members, and the people who log in."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from accounts.scoping import CompanyModel
from lib import zones


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str) -> User:
        return self.get(email=username.strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person who logs in, by e-mail."""

    email = models.EmailField(_("e-mail"), max_length=254, unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("administrator"), default=False)
    date_joined = models.DateTimeField(default=timezone.now)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.name or self.email


class CompanyManager(models.Manager["Company"]):
    def create_named(self, name: str, **fields: Any) -> Company:
        """A company with a slug made from its name, numbered when taken."""
        base = slugify(name)[:40] or "company"
        slug, n = base, 1
        while self.filter(slug=slug).exists():
            n += 1
            slug = f"{base}-{n}"
        return self.create(name=name, slug=slug, **fields)


class Company(models.Model):
    """The tenant. All opt-outs are per company."""

    class Scope(models.TextChoices):
        CONTACT = "contact", _("all marketing to the contact, by SMS and e-mail")
        CHANNEL = "channel", _("only the channel that was used")

    name = models.CharField(_("name"), max_length=100)
    slug = models.SlugField(_("short name"), max_length=50, unique=True)
    country = models.CharField(_("country"), max_length=2, default="GB", help_text=_("Two letters, e.g. NL."))
    language = models.CharField(_("language"), max_length=8, default="en")
    time_zone = models.CharField(
        _("time zone"), max_length=40, blank=True, default="", help_text=_("Empty: the country's own.")
    )
    opt_out_scope = models.CharField(
        _("an opt-out covers"), max_length=10, choices=Scope.choices, default=Scope.CONTACT
    )
    contact_details = models.CharField(
        _("contact details"), max_length=200, blank=True, help_text=_("Shown to recipients who ask for help.")
    )
    privacy_url = models.URLField(_("privacy notice"), blank=True)
    imprint_url = models.URLField(_("imprint"), blank=True)
    brand_color = models.CharField(_("brand colour"), max_length=7, blank=True)
    retention_days = models.PositiveIntegerField(
        _("days that texts and addresses are kept"),
        null=True,
        blank=True,
        help_text=_(
            "After so many days messages and replies lose their text and address, and uploaded files go. "
            "Opt-outs and the ledger stay. Empty: everything is kept."
        ),
    )
    offers_pause = models.BooleanField(
        _("offer a pause"),
        default=False,
        help_text=_("People may choose 30 or 90 days without marketing instead of leaving."),
    )
    offers_topics = models.BooleanField(
        _("offer topics"),
        default=False,
        help_text=_("People may leave single groups: those that have a name on the opt-out page."),
    )
    confirms_opt_ins = models.BooleanField(
        _("confirm opt-ins by a second message"),
        default=False,
        help_text=_(
            "Who comes back on the opt-out page gets a message with a link, and stays opted out until it is confirmed "
            "there (double opt-in). START by reply and opt-ins through the API need no second step."
        ),
    )
    # Set by administrators alone; in no form of the company's own (campaigns/transactional.py).
    templates_required = models.BooleanField(
        _("transactional texts only from templates"),
        default=False,
        db_default=False,
        help_text=_(
            "Programs may then send as transactional only what equals one of the company's templates with its "
            "placeholders filled. Only an administrator can change this."
        ),
    )
    # Held when an audience is built; opt-outs are what is held to the last moment.
    frequency_cap = models.PositiveSmallIntegerField(
        _("most marketing messages per person"), null=True, blank=True, help_text=_("Empty: as many as you launch.")
    )
    frequency_days = models.PositiveSmallIntegerField(_("within days"), default=7, db_default=7)
    # Language → {"heading", "sentence"}: the company's own words on its opt-out page.
    landing_texts = models.JSONField(_("own texts"), default=dict, blank=True, editable=False)
    # "NAME WIDTH HEIGHT" of its Logo; here too, so that a page needs no second look-up.
    logo = models.CharField(_("logo"), max_length=60, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CompanyManager()

    class Meta:
        verbose_name = _("company")
        verbose_name_plural = _("companies")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        """In which its people read and enter times."""
        return zones.zone(self.time_zone, country=self.country)


class Member(models.Model):
    """A user in a company."""

    class Role(models.TextChoices):
        OWNER = "owner", _("Owner")
        MARKETER = "marketer", _("Marketer")
        VIEWER = "viewer", _("Viewer")

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [models.UniqueConstraint(fields=["company", "user"], name="one_membership_per_company")]

    def __str__(self) -> str:
        return f"{self.user} · {self.company}"


class Bucket(models.Model):
    """A token bucket of `accounts.limits`: how often somebody may still try."""

    key = models.CharField(max_length=100, primary_key=True)
    tokens = models.FloatField()
    updated_at = models.DateTimeField()


class Logo(CompanyModel):
    """A company's picture on its opt-out page, as `accounts.logos` has made it."""

    name = models.CharField(max_length=40)
    content = models.BinaryField(editable=False)

    class Meta:
        verbose_name = _("logo")
        verbose_name_plural = _("logos")
        constraints = [models.UniqueConstraint(fields=["company"], name="one_logo_per_company")]

    def __str__(self) -> str:
        return self.name
