from pathlib import Path

from django.db import migrations

from lib import sql

FOLDER = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("optout", "0007_opt_in_requests"),
        ("addressbook", "0008_leave_in_one_call"),
        ("campaigns", "0001_initial"),
        ("messaging", "0006_routes_and_health"),
        ("webhooks", "0001_endpoints_and_deliveries"),
    ]
    operations = [
        migrations.RunSQL(sql.read(FOLDER / "stop.sql"), migrations.RunSQL.noop),
    ]
