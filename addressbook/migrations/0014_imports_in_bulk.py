from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

from lib import sql

FOLDER = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("addressbook", "0013_newer_consent")]
    operations = [
        migrations.AlterField(
            model_name="contact",
            name="company",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.company",
            ),
        ),
        migrations.RemoveConstraint(model_name="contact", name="one_contact_per_email"),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.UniqueConstraint(
                condition=models.Q(("email_digest__isnull", False)),
                fields=("company", "email_digest"),
                name="one_contact_per_email",
            ),
        ),
        migrations.RunSQL(sql.read(FOLDER / "walls_v2.sql"), migrations.RunSQL.noop),
    ]
