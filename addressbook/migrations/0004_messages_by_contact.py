from pathlib import Path

from django.db import migrations

from lib import sql

FOLDER = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("addressbook", "0003_import_files"), ("messaging", "0004_a_million_at_a_time")]
    operations = [
        migrations.RunSQL(sql.read(FOLDER / "addressed.sql"), migrations.RunSQL.noop),
    ]
