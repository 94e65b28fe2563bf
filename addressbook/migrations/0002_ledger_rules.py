from pathlib import Path

from django.db import migrations

from lib import sql

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("addressbook", "0001_initial"), ("messaging", "0001_initial")]
    operations = [
        migrations.RunSQL(sql.read(SQL / "ledger.sql"), migrations.RunSQL.noop),
        migrations.RunSQL(sql.read(SQL / "walls.sql"), migrations.RunSQL.noop),
    ]
