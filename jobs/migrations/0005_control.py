"""The admin gets a page of job types, and ended rows an index by their end."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('jobs', '0004_lean_indexes'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='pausedtype',
            options={'ordering': ['type'], 'verbose_name': 'job type'},
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(models.F('project'), models.F('status'), models.OrderBy(models.F('id'), descending=True), condition=models.Q(('project__isnull', False), ('status__in', ['pending', 'processing', 'failed', 'cancelled'])), name='job_project_not_done'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(models.F('status'), models.F('completed_at'), condition=models.Q(('completed_at__isnull', False)), name='job_finished'),
        ),
    ]
