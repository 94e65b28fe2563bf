from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_fewer_messages")]

    operations = [
        migrations.AddField(
            model_name="company",
            name="frequency_cap",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Empty: as many as you launch.",
                null=True,
                verbose_name="most marketing messages per person",
            ),
        ),
        migrations.AddField(
            model_name="company",
            name="frequency_days",
            field=models.PositiveSmallIntegerField(db_default=7, default=7, verbose_name="within days"),
        ),
    ]
