"""What absence is weighed by, whose wish each ending is, and findings that last."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0014_details_of_instances'),
    ]

    operations = [
        migrations.AddField(
            model_name='instance',
            name='absence_lists',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text='of them, those whose whole list agreed'),
        ),
        migrations.AddField(
            model_name='instance',
            name='absence_looked_at',
            field=models.DateTimeField(blank=True, help_text='the last pass that did not find it', null=True),
        ),
        migrations.AddField(
            model_name='instance',
            name='absence_looks',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text='passes that did not find it'),
        ),
        migrations.AddField(
            model_name='upstreamending',
            name='deletes_accepted',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='upstreamending',
            name='error_count',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='upstreamending',
            name='error_since',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='upstreamending',
            name='held_up_at',
            field=models.DateTimeField(blank=True, help_text="when its instance's events said that it takes long", null=True),
        ),
        migrations.AddField(
            model_name='upstreamending',
            name='list_without_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='upstreamending',
            name='lists_without',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='whole lists since then that lack it'),
        ),
        migrations.AddField(
            model_name='upstreamending',
            name='refused_looks',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='upstreamending',
            name='refused_since',
            field=models.DateTimeField(blank=True, help_text='since when Novita refuses its id, in whatever words', null=True),
        ),
        migrations.AddField(
            model_name='upstreamending',
            name='upstream_status',
            field=models.CharField(blank=True, db_default='', default='', max_length=40),
        ),
        migrations.AddField(
            model_name='upstreamending',
            name='wish',
            field=models.CharField(blank=True, choices=[('caller', 'Caller'), ('limit', 'Limit'), ('failed_start', 'Failed Start'), ('duplicate', 'Duplicate'), ('orphan', 'Orphan')], db_default='', default='', max_length=20),
        ),
        migrations.AlterField(
            model_name='instance',
            name='absence_seen_at',
            field=models.DateTimeField(blank=True, help_text='since when Novita does not show it (docs/absence.md)', null=True),
        ),
        migrations.AlterField(
            model_name='upstreamending',
            name='absence_seen_at',
            field=models.DateTimeField(blank=True, help_text='since when Novita says that it is gone', null=True),
        ),
        migrations.CreateModel(
            name='OpenFinding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.CharField(max_length=16)),
                ('kind', models.CharField(max_length=40)),
                ('upstream_id', models.CharField(blank=True, max_length=64)),
                ('instance_id', models.CharField(blank=True, help_text='its public id', max_length=40)),
                ('text', models.CharField(max_length=500)),
                ('began_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('account', 'kind', 'upstream_id', 'instance_id'), name='open_finding_once')],
            },
        ),
    ]
