from pathlib import Path

from django.db import migrations, models
from django.db.models import Q

from lib import sql


class Migration(migrations.Migration):
    dependencies = [("messaging", "0007_quiet_hours")]
    operations = [
        migrations.AddIndex(
            "batch",
            models.Index("category", "company", "due_at", "id", condition=Q(status="queued"), name="batch_turn"),
        ),
        migrations.AddIndex("batch", models.Index("campaign_id", condition=~Q(status="done"), name="batch_open")),
        migrations.RunSQL(sql.read(Path(__file__).parent.parent / "sql" / "outcomes.sql"), migrations.RunSQL.noop),
    ]
