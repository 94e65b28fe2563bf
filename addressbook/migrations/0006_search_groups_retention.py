from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

from lib import sql

FOLDER = Path(__file__).parent.parent / "sql"


def company() -> models.ForeignKey:
    return models.ForeignKey(
        db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.company"
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_retention"), ("addressbook", "0005_ledger_seals")]
    operations = [
        migrations.AddField(
            model_name="group",
            name="conditions",
            field=models.JSONField(blank=True, editable=False, null=True, verbose_name="conditions"),
        ),
        migrations.AddField(
            model_name="group",
            name="refreshed_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="members as of"),
        ),
        migrations.CreateModel(
            name="GroupChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "act",
                    models.CharField(choices=[("add", "Add to group"), ("remove", "Remove from group")], max_length=6),
                ),
                ("conditions", models.JSONField()),
                ("position", models.BigIntegerField()),
                ("changed", models.IntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("company", company()),
                (
                    "group",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="changes", to="addressbook.group"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index("id", condition=models.Q(("finished_at", None)), name="group_change_waiting")]
            },
        ),
        migrations.CreateModel(
            name="Retained",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "messages",
                    models.BigIntegerField(default=0, help_text="The last id that has been looked at."),
                ),
                ("replies", models.BigIntegerField(default=0)),
                ("company", company()),
            ],
            options={"constraints": [models.UniqueConstraint(fields=("company",), name="one_retained_per_company")]},
        ),
        migrations.AddIndex(
            model_name="consentevent",
            index=models.Index(
                "company", "reason", "id", condition=models.Q(("reason", ""), _negated=True), name="event_reason"
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                "company",
                "language",
                "id",
                condition=models.Q(("language", ""), _negated=True),
                name="contact_language",
            ),
        ),
        migrations.RunSQL(sql.read(FOLDER / "search.sql"), migrations.RunSQL.noop),
    ]
