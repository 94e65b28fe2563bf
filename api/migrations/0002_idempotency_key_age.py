from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("api", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="idempotencykey", index=models.Index(fields=["created_at"], name="idempotency_key_age")
        ),
    ]
