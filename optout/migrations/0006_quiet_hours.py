from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

from lib import sql

_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat")
_HOUSE = dict.fromkeys(_WEEK, "08:00-20:00")
_FROM_NINE = dict.fromkeys(_WEEK, "09:00-20:00")
#: Country → hours as they came with the product before, and as they come now.
CORRECTED = {
    "SG": (_HOUSE, _FROM_NINE),
    "MY": (_HOUSE, _FROM_NINE),
    "HK": (_HOUSE, _FROM_NINE),
    "MX": (_HOUSE, _FROM_NINE),
    "GR": (dict.fromkeys((*_WEEK, "sun"), "09:00-15:00"), dict.fromkeys(_WEEK, "09:00-15:00,17:00-20:00")),
}


def correct(apps, schema_editor):
    """What an administrator has edited stays."""
    rules = apps.get_model("optout", "DestinationRule")
    for country, (before, now) in CORRECTED.items():
        rules.objects.filter(country=country, window=before).update(window=now)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("optout", "0005_lines_in_more_languages")]
    operations = [
        migrations.AlterField(
            "destinationrule",
            "window",
            models.JSONField(
                blank=True,
                default=dict,
                help_text="SMS marketing leaves within these hours, by the recipient's clock. Empty: at any time.",
                verbose_name="hours per weekday",
            ),
        ),
        migrations.RunPython(correct, migrations.RunPython.noop),
        migrations.CreateModel(
            name="QuietHoursSwitch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "country",
                    models.CharField(help_text="Two letters, for example FR.", max_length=2, verbose_name="country"),
                ),
                (
                    "is_off",
                    models.BooleanField(
                        choices=[(True, "off: marketing leaves at any hour"), (False, "on again")],
                        default=True,
                        verbose_name="quiet hours",
                    ),
                ),
                (
                    "until",
                    models.DateTimeField(
                        blank=True,
                        help_text="Empty: until somebody switches them on again.",
                        null=True,
                        verbose_name="until",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        help_text="Marketers of the company see it.", max_length=500, verbose_name="reason"
                    ),
                ),
                ("who", models.CharField(editable=False, max_length=254, verbose_name="who")),
                ("user_id", models.BigIntegerField(editable=False, null=True)),
                ("at", models.DateTimeField(auto_now_add=True, verbose_name="when")),
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
            options={
                "verbose_name": "quiet hours switched",
                "verbose_name_plural": "quiet hours switched",
                "indexes": [models.Index(fields=["company", "country", "-id"], name="quiet_hours_latest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=~models.Q(reason="") & ~models.Q(country=""), name="switch_says_why"
                    )
                ],
            },
        ),
        migrations.RunSQL(sql.read(Path(__file__).parent.parent / "sql" / "quiet_hours.sql"), migrations.RunSQL.noop),
    ]
