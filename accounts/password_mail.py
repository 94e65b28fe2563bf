"""The mail with which somebody sets a password: asked for at log-in, or sent to a new member."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.forms import PasswordResetForm
from django.utils import translation

from accounts.models import User


class _Form(PasswordResetForm):
    def get_users(self, email: str) -> list[User]:
        # Django leaves out who has no password yet; a new member has none.
        return list(User.objects.filter(email=email, is_active=True))


def send(email: str) -> None:
    """To a known and active user; to anybody else nothing. Runs in the worker, so that the answer of the
    page, and the time it takes, are the same for everybody."""
    form = _Form({"email": email.strip().lower()})
    if not form.is_valid():
        return
    with translation.override(_language_of(email)):
        form.save(
            # From the settings, not from the request: a forged Host header must not steal the link.
            domain_override=urlsplit(settings.APP_URL).netloc,
            use_https=settings.HTTPS,
            subject_template_name="accounts/password_mail_subject.txt",
            email_template_name="accounts/password_mail.txt",
        )


def _language_of(email: str) -> str:
    user = User.objects.filter(email=email.strip().lower()).first()
    member = user and user.memberships.select_related("company").first()
    language = member.company.language if member else settings.LANGUAGE_CODE
    return language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
