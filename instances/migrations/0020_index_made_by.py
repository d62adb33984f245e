from django.db import migrations, models

from instances.migrations._online import AddIndexOnline


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('instances', '0019_made_by'),
    ]

    operations = [
        AddIndexOnline(
            model_name='instance',
            index=models.Index(condition=models.Q(('made_by', ''), _negated=True), fields=['made_by', 'id'], name='instance_made_by'),
        ),
    ]
