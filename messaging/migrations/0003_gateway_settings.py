from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0002_message_rules")]
    operations = [
        migrations.AddField(
            model_name="gateway",
            name="sealed_settings",
            field=models.BinaryField(default=b"", editable=False),
        ),
    ]
