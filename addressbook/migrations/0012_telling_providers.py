import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("addressbook", "0011_landlines"),
        ("messaging", "0006_routes_and_health"),
    ]

    operations = [
        migrations.CreateModel(
            name="Telling",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reach", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ("due_at", models.DateTimeField(verbose_name="due")),
                ("failures", models.SmallIntegerField(default=0, verbose_name="failures")),
                ("problem", models.CharField(blank=True, max_length=200, verbose_name="problem")),
                (
                    "company",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.company",
                    ),
                ),
                (
                    "gateway",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="messaging.gateway"
                    ),
                ),
            ],
            options={"verbose_name": "provider's own list", "verbose_name_plural": "providers' own lists"},
        ),
    ]
