from pathlib import Path

from django.db import migrations

from lib import sql

FOLDER = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("addressbook", "0007_imports_at_full_size")]
    operations = [
        migrations.RunSQL(sql.read(FOLDER / "leave.sql"), migrations.RunSQL.noop),
    ]
