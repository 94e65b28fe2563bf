from pathlib import Path

from django.db import migrations, models
from django.db.models import Q

from lib import sql


class Migration(migrations.Migration):
    dependencies = [("messaging", "0003_gateway_settings")]
    operations = [
        migrations.AddField("batch", "first_id", models.BigIntegerField(editable=False, null=True)),
        migrations.AddField("batch", "last_id", models.BigIntegerField(editable=False, null=True)),
        migrations.AddField(
            "message",
            "readdressed",
            models.BooleanField(default=False, editable=False, help_text="The contact has another address now."),
        ),
        migrations.RemoveConstraint("message", "one_message_per_contact"),
        migrations.RemoveConstraint("message", "one_message_per_address"),
        migrations.AddConstraint(
            "message", models.UniqueConstraint(fields=("contact", "campaign"), name="one_message_per_contact")
        ),
        migrations.AddIndex("message", models.Index("campaign", "id", name="message_campaign")),
        migrations.AddIndex(
            "message",
            models.Index(
                "company",
                "digest",
                condition=Q(contact__isnull=True) | Q(readdressed=True),
                name="message_on_its_own",
            ),
        ),
        migrations.RunSQL(
            "UPDATE messaging_batch b SET first_id = m.first_id, last_id = m.last_id FROM (SELECT batch_id,"
            " min(id) AS first_id, max(id) AS last_id FROM messaging_message GROUP BY batch_id) m WHERE b.id = m.batch_id",
            migrations.RunSQL.noop,
        ),
        migrations.RemoveIndex("message", "message_batch"),
        migrations.RunSQL(sql.read(Path(__file__).parent.parent / "sql" / "messages_v2.sql"), migrations.RunSQL.noop),
    ]
