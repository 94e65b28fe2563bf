"""The mail that tells a company's owners of a webhook that was switched off."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import Member
from webhooks.models import Endpoint


def send(*, company_id: int, endpoint_id: int) -> None:
    """Nothing is sent of one that was switched on again, or deleted, meanwhile."""
    endpoint = Endpoint.objects.of(company_id).filter(pk=endpoint_id).exclude(disabled_at=None).first()
    if endpoint is None:
        return
    owners = Member.objects.filter(company_id=company_id, role="owner", user__is_active=True)
    to = list(owners.order_by("pk").values_list("user__email", flat=True))
    language = endpoint.company.language
    with translation.override(language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE):
        page = settings.APP_URL + reverse("webhooks:endpoint", args=[endpoint.pk])
        text = render_to_string("webhooks/switched_off_mail.txt", {"endpoint": endpoint, "page": page})
        for address in to:
            EmailMessage(_("A webhook was switched off"), text, to=[address]).send()
