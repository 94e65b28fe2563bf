from django.conf import settings
from django.db import migrations, models

# What waits already may be a no, so it holds marketing from now on.
FILL = """
UPDATE optout_reviewitem i SET digest = r.digest, holds = i.suggestion IN ('', 'opt_out')
FROM messaging_reply r WHERE r.id = i.reply_id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('messaging', '0002_message_rules'),
        ('optout', '0002_platform_data'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='reviewitem',
            name='digest',
            field=models.BinaryField(default=b'', max_length=32),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='reviewitem',
            name='holds',
            field=models.BooleanField(default=False, verbose_name='holds marketing'),
        ),
        migrations.AlterField(
            model_name='reviewitem',
            name='decision',
            field=models.CharField(blank=True, choices=[('opt_out', 'opted out'), ('kept', 'not an opt-out'), ('helped', 'help sent')], max_length=10, verbose_name='decision'),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name='reviewitem',
            index=models.Index(models.F('company'), models.F('digest'), condition=models.Q(('decision', '')), name='review_address'),
        ),
        migrations.AddIndex(
            model_name='reviewitem',
            index=models.Index(fields=['company', '-decided_at'], condition=models.Q(('decision', ''), _negated=True), name='review_decided'),
        ),
    ]
