from pathlib import Path

from django.db import migrations

from lib import sql


class Migration(migrations.Migration):
    dependencies = [("messaging", "0001_initial")]
    operations = [
        migrations.RunSQL(
            sql.read(Path(__file__).parent.parent / "sql" / "messages.sql"), migrations.RunSQL.noop
        )
    ]
