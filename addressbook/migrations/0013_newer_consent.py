from pathlib import Path

from django.db import migrations

from lib import sql

FOLDER = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("addressbook", "0012_telling_providers")]
    operations = [
        migrations.RunSQL(
            sql.read(FOLDER / "newer_consent.sql"),
            "DROP TRIGGER suppression_newer_consent ON addressbook_suppression; DROP FUNCTION suppression_newer_consent();",
        ),
    ]
