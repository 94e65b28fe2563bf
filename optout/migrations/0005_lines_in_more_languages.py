from django.db import migrations

from optout.destinations import load_platform_data


def load(apps, schema_editor):
    load_platform_data(
        rules=apps.get_model("optout", "DestinationRule"), texts=apps.get_model("optout", "OptOutText")
    )


class Migration(migrations.Migration):
    dependencies = [("optout", "0004_portal_codes")]
    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
