"""The e-mail services: what each has of its own. The rest is in `esp`.

https://documentation.mailgun.com · https://www.twilio.com/docs/sendgrid · https://postmarkapp.com/developer ·
https://developers.brevo.com · https://dev.mailjet.com · https://resend.com/docs · https://developers.sparkpost.com
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any
from urllib.parse import quote

from anymail.backends import brevo, mailgun, mailjet, postmark, resend, sendgrid, sparkpost
from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.brevo import BrevoTrackingWebhookView
from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from anymail.webhooks.mailjet import MailjetTrackingWebhookView
from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from anymail.webhooks.resend import ResendTrackingWebhookView
from anymail.webhooks.sendgrid import SendGridTrackingWebhookView
from anymail.webhooks.sparkpost import SparkPostTrackingWebhookView
from django.core.mail import EmailMultiAlternatives

from messaging.gateways.account import Account
from messaging.gateways.base import Block, Outcome, Standing, Verdict, words
from messaging.gateways.esp import MARKETING, Esp, said_in
from messaging.gateways.hooks import Hook
from messaging.gateways.http import Answer, at_fault

#: How old a signed webhook may be.
TOLERANCE_SECONDS = 300


class Listed(Esp):
    """A service whose own list can be written to."""

    def _told(self, answer: Answer, *, gone: bool = False) -> Outcome:
        """`gone`: to take away what is not there is as good as done."""
        if answer.lost:
            return answer.lost
        if answer.status < 300 or (gone and answer.status == 404):
            return Outcome(Verdict.ACCEPTED)
        refused = self.common_outcome(answer)
        if refused:
            return refused
        verdict = Verdict.REJECTED if answer.status in {400, 422} else Verdict.UNKNOWN
        return Outcome(verdict, error=said_in(answer.json()) or f"the provider answered HTTP {answer.status}")

    def _one_after_another(self, urls: Sequence[str], **request: Any) -> Outcome:
        """Where a service takes one address away at a time."""
        for url in urls:
            outcome = self._told(self.ask("DELETE", url, **request), gone=True)
            if outcome.verdict is not Verdict.ACCEPTED:
                return outcome
        return Outcome(Verdict.ACCEPTED)


class Mailgun(Listed):
    """The list of unsubscribed people stops what bears their tag, so only marketing bears one."""

    kind = "mailgun"
    label = "Mailgun"
    home = "https://api.mailgun.net"
    path = "/v3"
    account = Account(("api_key", "webhook_signing_key", "from_email"), ("sender_domain", "base_url", "rate"))
    backend = mailgun.EmailBackend
    view = MailgunTrackingWebhookView
    for_backend = ("api_key", "sender_domain")
    for_view = ("webhook_signing_key",)
    tell_size = 100
    reasons = {
        "bounce": Block.BOUNCED,
        "suppress-bounce": Block.BOUNCED,
        "suppress-complaint": Block.COMPLAINED,
        "suppress-unsubscribe": Block.OPTED_OUT,
    }

    def mark(self, mail: EmailMultiAlternatives, *, is_marketing: bool) -> None:
        mail.tags = [MARKETING] if is_marketing else []

    def other_block(self, event: AnymailTrackingEvent, said: Any) -> Block | None:
        data = said.get("event-data") or {}
        if data.get("event") != "failed" or data.get("severity") != "permanent":
            return None
        return self.reasons.get(words(data.get("reason")))

    def event_id(self, event: AnymailTrackingEvent) -> str:
        data = event.esp_event.get("event-data") or {}
        # Of their own day only.
        own = f"{words(data.get('id'))} {words(data.get('timestamp'))}" if data.get("id") else ""
        return own or super().event_id(event)

    def tell(self, standings: Sequence[Standing]) -> Outcome:
        domain = self.settings.get("sender_domain") or parseaddr(self.settings["from_email"])[1].rpartition("@")[2]
        home = f"{self.base_url}{self.path}/{quote(domain, safe='')}/unsubscribes"
        auth = ("api", self.settings["api_key"])
        if standings[0].is_out:
            people = [{"address": s.address, "tags": [MARKETING]} for s in standings]
            return self._told(self.ask("POST", home, auth=auth, json=people))
        return self._one_after_another([f"{home}/{quote(s.address, safe='')}" for s in standings], auth=auth)


class SendGrid(Listed):
    """`unsubscribe_group` is the number of the group that marketing belongs to; without it nothing is told, because
    SendGrid's other list stops transactional messages too.
    """

    kind = "sendgrid"
    label = "SendGrid"
    home = "https://api.sendgrid.com"
    path = "/v3"
    account = Account(
        ("api_key", "tracking_webhook_verification_key", "from_email"), ("unsubscribe_group", "base_url", "rate")
    )
    backend = sendgrid.EmailBackend
    view = SendGridTrackingWebhookView
    for_view = ("tracking_webhook_verification_key",)
    taken = frozenset({202})  # 200 is the sandbox, which delivers nothing
    tell_size = 100
    dropped = {
        "bounced address": Block.BOUNCED,
        "invalid": Block.BOUNCED,
        "spam reporting address": Block.COMPLAINED,
        "unsubscribed address": Block.OPTED_OUT,
        "group unsubscribe": Block.OPTED_OUT,
    }

    @property
    def tells(self) -> bool:
        return super().tells and "unsubscribe_group" in self.settings

    def mark(self, mail: EmailMultiAlternatives, *, is_marketing: bool) -> None:
        if is_marketing and "unsubscribe_group" in self.settings:
            mail.esp_extra = {"asm": {"group_id": int(self.settings["unsubscribe_group"])}}

    def other_block(self, event: AnymailTrackingEvent, said: Any) -> Block | None:
        if said.get("event") == "bounce":  # its other type, “blocked”, may go through the next time
            return Block.BOUNCED if said.get("type", "bounce") == "bounce" else None
        return self.dropped.get(words(said.get("reason")).lower()) if said.get("event") == "dropped" else None

    def tell(self, standings: Sequence[Standing]) -> Outcome:
        group = quote(self.settings["unsubscribe_group"], safe="")
        home = f"{self.base_url}{self.path}/asm/groups/{group}/suppressions"
        headers = {"Authorization": f"Bearer {self.settings['api_key']}"}
        if standings[0].is_out:
            people = {"recipient_emails": [s.address for s in standings]}
            return self._told(self.ask("POST", home, headers=headers, json=people))
        return self._one_after_another([f"{home}/{quote(s.address, safe='')}" for s in standings], headers=headers)


class Postmark(Listed):
    """Marketing goes through a stream of its own, as Postmark asks; the list is that stream's."""

    kind = "postmark"
    label = "Postmark"
    home = "https://api.postmarkapp.com"
    path = "/"
    account = Account(("server_token", "webhook_secret", "from_email"), ("message_stream", "base_url", "rate"))
    backend = postmark.EmailBackend
    view = PostmarkTrackingWebhookView
    for_backend = ("server_token",)
    tell_size = 50
    INACTIVE = 406
    #: Token, sender, credits, approval.
    ACCOUNT_CODES = {10, 400, 401, 405, 412, 413}
    kinds = {
        "HardBounce": Block.BOUNCED,
        "BadEmailAddress": Block.BOUNCED,
        "ManuallyDeactivated": Block.REFUSED,
    }

    @property
    def stream(self) -> str:
        return self.settings.get("message_stream", "broadcast")

    def mark(self, mail: EmailMultiAlternatives, *, is_marketing: bool) -> None:
        mail.esp_extra = {"MessageStream": self.stream if is_marketing else "outbound"}

    def refused(self, answer: Answer) -> Outcome | None:
        body = answer.json()
        if answer.status == 422 and body.get("ErrorCode") in self.ACCOUNT_CODES:
            return at_fault(said_in(body))
        return None

    def block_of(self, answer: Answer) -> Block | None:
        return Block.REFUSED if answer.json().get("ErrorCode") == self.INACTIVE else None

    def other_block(self, event: AnymailTrackingEvent, said: Any) -> Block | None:
        if said.get("RecordType") == "SubscriptionChange":
            return self.kinds.get(words(said.get("SuppressionReason"))) if said.get("SuppressSending") else None
        return self.kinds.get(words(said.get("Type"))) if said.get("RecordType") == "Bounce" else None

    def tell(self, standings: Sequence[Standing]) -> Outcome:
        path = f"/message-streams/{quote(self.stream, safe='')}/suppressions"
        people = {"Suppressions": [{"EmailAddress": s.address} for s in standings]}
        headers = {"X-Postmark-Server-Token": self.settings["server_token"]}
        return self._told(self.post(path if standings[0].is_out else f"{path}/delete", headers=headers, json=people))


class Brevo(Esp):
    kind = "brevo"
    label = "Brevo"
    home = "https://api.brevo.com"
    path = "/v3"
    account = Account(("api_key", "webhook_secret", "from_email"), ("base_url", "rate"))
    backend = brevo.EmailBackend
    view = BrevoTrackingWebhookView
    ACCOUNT_CODES = {"unauthorized", "permission_denied", "not_enough_credits", "account_under_validation"}
    events = {"hard_bounce": Block.BOUNCED, "invalid_email": Block.BOUNCED, "blocked": Block.REFUSED}

    def refused(self, answer: Answer) -> Outcome | None:
        code = words(answer.json().get("code"))
        return at_fault(said_in(answer.json())) if answer.status == 400 and code in self.ACCOUNT_CODES else None

    def other_block(self, event: AnymailTrackingEvent, said: Any) -> Block | None:
        return self.events.get(words(said.get("event")))


class Mailjet(Esp):
    kind = "mailjet"
    label = "Mailjet"
    home = "https://api.mailjet.com"
    path = "/v3.1"
    account = Account(("api_key", "secret_key", "webhook_secret", "from_email"), ("base_url", "rate"))
    backend = mailjet.EmailBackend
    view = MailjetTrackingWebhookView
    for_backend = ("api_key", "secret_key")
    errors = {"preblocked": Block.REFUSED, "blacklisted": Block.REFUSED, "spam reporter": Block.COMPLAINED}

    def other_block(self, event: AnymailTrackingEvent, said: Any) -> Block | None:
        if said.get("event") == "bounce":
            return Block.BOUNCED if said.get("hard_bounce") is True else None
        return self.errors.get(words(said.get("error"))) if said.get("event") == "blocked" else None


class Resend(Esp):
    kind = "resend"
    label = "Resend"
    home = "https://api.resend.com"
    path = "/"
    account = Account(("api_key", "signing_secret", "from_email"), ("base_url", "rate"))
    backend = resend.EmailBackend
    view = ResendTrackingWebhookView
    for_view = ()

    def is_authentic(self, hook: Hook) -> bool:
        """Signed as Standard Webhooks, with headers of another name."""
        if any(name not in self.settings for name in self.account.needed):
            return False
        number, moment, given = (hook.headers.get(f"svix-{name}", "") for name in ("id", "timestamp", "signature"))
        try:
            secret = base64.b64decode(self.settings["signing_secret"].removeprefix("whsec_"), validate=True)
            is_recent = abs(time.time() - int(moment)) <= TOLERANCE_SECONDS
        except (binascii.Error, ValueError, OverflowError):
            return False
        signed = f"{number}.{moment}.".encode(errors="replace") + hook.body
        expected = b"v1," + base64.b64encode(hmac.digest(secret, signed, "sha256"))
        # While a secret is being rotated, a delivery bears both signatures.
        matches = [hmac.compare_digest(expected, one.encode(errors="replace")) for one in given.split()]
        return bool(secret) and is_recent and any(matches)

    def other_block(self, event: AnymailTrackingEvent, said: Any) -> Block | None:
        if said.get("type") == "email.suppressed":
            return Block.REFUSED
        bounce = (said.get("data") or {}).get("bounce") or {}
        if said.get("type") != "email.bounced" or words(bounce.get("type")).lower() != "permanent":
            return None
        is_listed = "suppress" in words(bounce.get("subType")).lower()
        return Block.REFUSED if is_listed else Block.BOUNCED


class SparkPost(Listed):
    """Its list tells marketing, which it calls non-transactional, from the rest."""

    kind = "sparkpost"
    label = "SparkPost"
    home = "https://api.sparkpost.com"
    path = "/api/v1"
    account = Account(("api_key", "webhook_secret", "from_email"), ("subaccount", "base_url", "rate"))
    backend = sparkpost.EmailBackend
    view = SparkPostTrackingWebhookView
    for_backend = ("api_key", "subaccount")
    tell_size = 100
    OVER_THE_LIMIT = 420
    #: Bounce classes of addresses that are not there.
    HARD = {"10", "30"}

    def mark(self, mail: EmailMultiAlternatives, *, is_marketing: bool) -> None:
        mail.esp_extra = {"options": {"transactional": not is_marketing}}

    def refused(self, answer: Answer) -> Outcome | None:
        return at_fault("the account's limit is reached") if answer.status == self.OVER_THE_LIMIT else None

    def block_of(self, answer: Answer) -> Block | None:
        return Block.REFUSED if "suppress" in answer.body.decode(errors="replace").lower() else None

    def other_block(self, event: AnymailTrackingEvent, said: Any) -> Block | None:
        (fields,) = said["msys"].values()
        if fields.get("type") in {"bounce", "out_of_band"} and words(fields.get("bounce_class")) in self.HARD:
            return Block.BOUNCED
        refusals = {"bounce", "policy_rejection", "generation_rejection"}
        is_listed = fields.get("type") in refusals and "suppress" in words(fields.get("raw_reason")).lower()
        return Block.REFUSED if is_listed else None

    def tell(self, standings: Sequence[Standing]) -> Outcome:
        headers = {"Authorization": self.settings["api_key"]}
        if "subaccount" in self.settings:
            headers["X-MSYS-SUBACCOUNT"] = self.settings["subaccount"]
        home = f"{self.base_url}{self.path}/suppression-list"
        if standings[0].is_out:
            people = [{"recipient": s.address, "type": "non_transactional"} for s in standings]
            return self._told(self.ask("PUT", home, headers=headers, json={"recipients": people}))
        urls = [f"{home}/{quote(s.address, safe='')}" for s in standings]
        return self._one_after_another(urls, headers=headers, json={"type": "non_transactional"})


ESPS = (Mailgun, SendGrid, Postmark, Brevo, Mailjet, Resend, SparkPost)
