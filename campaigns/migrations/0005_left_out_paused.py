from pathlib import Path

from django.db import migrations, models

from lib import sql

FOLDER = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0004_choice_of_audience'),
    ]

    operations = [
        migrations.AddField(
            model_name='campaign',
            name='left_out_paused',
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.RunSQL(sql.read(FOLDER / "left_topics.sql"), migrations.RunSQL.noop),
    ]
