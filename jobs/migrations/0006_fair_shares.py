"""Fair keys of jobs, and the keys whose calls take long."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0009_seal_idempotent_answers'),
        ('jobs', '0005_control'),
    ]

    operations = [
        migrations.CreateModel(
            name='SlowKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('type', models.CharField(max_length=60)),
                ('fair_key', models.CharField(max_length=120)),
                ('until', models.DateTimeField()),
            ],
            options={
                'ordering': ['type', 'fair_key'],
            },
        ),
        migrations.AddField(
            model_name='job',
            name='fair_key',
            field=models.CharField(blank=True, db_default='', default='', max_length=120),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('status', 'pending'), models.Q(('fair_key', ''), _negated=True)), fields=['type', 'fair_key', 'run_at'], name='job_fair'),
        ),
        migrations.AddConstraint(
            model_name='slowkey',
            constraint=models.UniqueConstraint(fields=('type', 'fair_key'), name='slow_key_once'),
        ),
    ]
