"""What earlier releases ended is no longer held; what runs is being charged for."""

from django.db import migrations

GONE = """
UPDATE instances_instance i SET upstream_gone_at = e.confirmed_at
FROM instances_upstreamending e
WHERE e.instance_id = i.id AND e.upstream_id = i.upstream_id AND e.account = i.upstream_account
  AND e.confirmed_at IS NOT NULL AND i.upstream_gone_at IS NULL
"""
CHARGED = """
UPDATE instances_instance SET billing_since = started_at
WHERE started_at IS NOT NULL AND ended_at IS NULL AND billing_since IS NULL
"""


class Migration(migrations.Migration):

    dependencies = [("instances", "0003_lifecycle")]

    operations = [
        migrations.RunSQL(GONE, migrations.RunSQL.noop),
        migrations.RunSQL(CHARGED, migrations.RunSQL.noop),
    ]
