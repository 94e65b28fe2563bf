"""The dashboard and a campaign's page with 10 M messages in 1000 campaigns; floor: the same with one empty campaign."""

from __future__ import annotations

import statistics
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client, override_settings
from django.utils import timezone

from accounts.models import Company, Member, User
from bench import world
from campaigns.models import Campaign

PEOPLE, CAMPAIGNS, EACH = 1_000_000, 1000, 10_000
#: One opt-out for so many messages.
LEAVES = 100
REQUESTS = 15
GOAL = 3.0
FILLED = ("messaging_message", "messaging_batch", "addressbook_consentevent", "addressbook_evidence")


def run() -> list[dict[str, object]]:
    company = world.company()
    user = User.objects.create_user("bench@bench.example", "bench bench bench")
    Member.objects.create(company=company, user=user, role="owner")
    client = Client(SERVER_NAME=urlsplit(settings.APP_URL).hostname or "localhost")
    client.force_login(user)
    first = Campaign.objects.create(company=company, name="First", body="Sale", sender="Bench")
    Campaign.objects.of(company).filter(pk=first.pk).update(
        status="sent", launched_at=timezone.now(), built_at=timezone.now(), finished_at=timezone.now()
    )
    floor = [_seconds(client, path) for path in ("/", first.get_absolute_url())]
    fill(company)
    world.settle()
    one = Campaign.objects.of(company).order_by("pk")[CAMPAIGNS // 2]
    ours = [_seconds(client, path) for path in ("/", one.get_absolute_url())]
    names = ("insights", "insights-campaign")
    return [
        world.result(name, seconds=seconds, floor_seconds=bare, goal=GOAL, note=f"median of {REQUESTS}")
        for name, seconds, bare in zip(names, ours, floor, strict=True)
    ]


def _seconds(client: Client, path: str) -> float:
    # Static files need not have been collected.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    taken = []
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        assert client.get(path).status_code == 200
        for _ in range(REQUESTS):
            with world.timed() as watch:
                assert client.get(path).status_code == 200
            taken.append(watch.seconds)
    return statistics.median(taken)


def fill(company: Company) -> None:
    """Straight into the tables: what is measured is reading them."""
    world.crowd(company, people=PEOPLE)
    for table in FILLED:
        world.sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    since = timezone.now() - timedelta(days=365)
    world.sql(
        """
        INSERT INTO campaigns_campaign (company_id, name, channel, sender, subject, body, opt_out_text, status,
          created_at, launched_at, built_at, finished_at, audience, left_out_suppressed, left_out_no_way, preheader)
        SELECT %s, 'Campaign ' || n, 'sms', 'Bench', '', 'Sale', '', 'sent', at, at, at, at, %s, 0, 0, ''
        FROM generate_series(1, %s) n, LATERAL (SELECT %s::timestamptz + n * interval '8 hours 45 minutes' AS at) t
        """,
        company.pk,
        EACH,
        CAMPAIGNS,
        since,
    )
    world.sql(
        """
        INSERT INTO messaging_batch (company_id, gateway_id, campaign_id, category, status, due_at)
        SELECT c.company_id, g.id, c.id, 'marketing', 'done', c.launched_at
        FROM campaigns_campaign c JOIN messaging_gateway g ON g.company_id = c.company_id
        """
    )
    campaigns = list(Campaign.objects.of(company).filter(audience=EACH).order_by("pk").values_list("pk", flat=True))
    for start in range(0, CAMPAIGNS, 100):
        world.sql(
            """
            INSERT INTO messaging_message (company_id, campaign_id, contact_id, batch_id, readdressed, category,
              channel, address, digest, country, language, sender, method, reply_code, status, subject, text, encoding,
              segments, provider_id, error, created_at, sent_at)
            SELECT p.company_id, k.id, p.id, b.id, false, 'marketing', 'sms', p.phone, p.phone_digest, p.country, 'nl',
              'Bench', 'link', '', CASE WHEN p.id %% 50 = 0 THEN 'failed' ELSE 'delivered' END, '', 'Sale',
              'GSM-7', 1, '', '', k.launched_at, k.launched_at
            FROM campaigns_campaign k
            JOIN messaging_batch b ON b.campaign_id = k.id
            JOIN addressbook_contact p ON p.company_id = k.company_id
              AND p.id BETWEEN (SELECT min(id) FROM addressbook_contact) + (k.id %% 100) * %s
                AND (SELECT min(id) FROM addressbook_contact) + (k.id %% 100 + 1) * %s - 1
            WHERE k.id = ANY(%s) ORDER BY k.id, p.id
            """,
            EACH,
            EACH,
            campaigns[start : start + 100],
        )
    world.sql(
        """
        INSERT INTO messaging_tally (campaign_id, status, delta)
        SELECT campaign_id, status, count(*) FROM messaging_message GROUP BY campaign_id, status
        """
    )
    world.sql(
        f"""
        INSERT INTO addressbook_consentevent (company_id, type, source, channel, digest, campaign_id, campaign_name,
          message_id, country, reason, occurred_at, recorded_at, evidence_hash, shard, position, previous_hash, hash)
        SELECT m.company_id, 'opt_out', (ARRAY['landing','reply','one_click'])[1 + m.id % 3], 'sms', m.digest,
          m.campaign_id, 'Campaign', m.id, m.country, (ARRAY['too_many','not_relevant','','',''])[1 + m.id % 5],
          m.sent_at + (m.id % 2000) * interval '1 minute', now(), '', 0, m.id, '', ''
        FROM messaging_message m WHERE m.id % {LEAVES} = 0
        """
    )
    world.sql(
        """
        INSERT INTO addressbook_evidence (event_id, company_id, address, comment, details)
        SELECT id, company_id, '', CASE WHEN id % 10 = 0 THEN 'Too loud' ELSE '' END, '{}'
        FROM addressbook_consentevent
        """
    )
    for table in FILLED:
        world.sql(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
    count = world.count("SELECT count(*) FROM messaging_message")
    assert count == CAMPAIGNS * EACH, count
