import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_confirms_opt_ins"), ("optout", "0006_quiet_hours")]

    operations = [
        migrations.CreateModel(
            name="OptInRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("out_event_id", models.BigIntegerField()),
                ("message_id", models.BigIntegerField(null=True)),
                ("evidence", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField(db_index=True)),
                (
                    "company",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.company",
                    ),
                ),
            ],
            options={"verbose_name": "opt-in to be confirmed", "verbose_name_plural": "opt-ins to be confirmed"},
        ),
    ]
