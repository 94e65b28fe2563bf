from pathlib import Path

from django.db import migrations, models
from django.db.models import Q

from lib import sql


class Migration(migrations.Migration):
    dependencies = [("messaging", "0006_routes_and_health")]
    operations = [
        migrations.AddField("batch", "deferred", models.BooleanField(db_default=False, default=False)),
        migrations.AddField("batch", "tried_since", models.DateTimeField(null=True)),
        migrations.AddIndex(
            "batch",
            models.Index(
                "company", "due_at", condition=Q(deferred=True, status__in=["queued", "held"]), name="batch_deferred"
            ),
        ),
        migrations.RunSQL(sql.read(Path(__file__).parent.parent / "sql" / "quiet_hours.sql"), migrations.RunSQL.noop),
    ]
