"""When a look by id last read how to reach an instance, and what it found missing."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0013_waits_and_holds'),
    ]

    operations = [
        migrations.AddField(
            model_name='instance',
            name='details_doubt',
            field=models.CharField(blank=True, db_default='', default='', max_length=16),
        ),
        migrations.AddField(
            model_name='instance',
            name='details_missing_since',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='instance',
            name='details_seen_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
