from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_frequency_cap")]

    operations = [
        migrations.AddField(
            model_name="company",
            name="confirms_opt_ins",
            field=models.BooleanField(
                default=False,
                help_text="Who comes back on the opt-out page gets a message with a link, and stays opted out until it is confirmed there (double opt-in). START by reply and opt-ins through the API need no second step.",
                verbose_name="confirm opt-ins by a second message",
            ),
        ),
    ]
