from __future__ import annotations

from typing import Any

from django.db import migrations, models

from messaging.addresses import Address

CHUNK = 10_000


def mark(apps: Any, schema_editor: Any) -> None:
    """The numbers that are there already, a chunk at a time: most are mobiles and stay as they are."""
    last = 0
    with schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT id, phone FROM addressbook_contact WHERE id > %s AND phone IS NOT NULL ORDER BY id LIMIT %s",
                [last, CHUNK],
            )
            rows = cursor.fetchall()
            if not rows:
                return
            landlines = [pk for pk, phone in rows if Address("sms", phone).is_landline]
            cursor.execute("UPDATE addressbook_contact SET landline = true WHERE id = ANY(%s)", [landlines])
            last = rows[-1][0]


class Migration(migrations.Migration):
    dependencies = [("addressbook", "0010_fewer_messages")]

    operations = [
        migrations.AddField(
            model_name="contact",
            name="landline",
            field=models.BooleanField(db_default=False, default=False, editable=False, verbose_name="landline"),
        ),
        migrations.RunPython(mark, migrations.RunPython.noop),
    ]
