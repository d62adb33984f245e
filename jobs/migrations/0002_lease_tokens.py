"""Lease tokens only grow, so that a lost lease never equals the present one."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE jobs_lease_token AS bigint",
            "DROP SEQUENCE jobs_lease_token",
        ),
        # Rows of a queue die young: vacuum after every 1,000 dead rows instead of a fifth of all,
        # else each claim reads many dead rows.
        migrations.RunSQL(
            "ALTER TABLE jobs_job SET (autovacuum_vacuum_scale_factor = 0,"
            " autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0)",
            "ALTER TABLE jobs_job RESET (autovacuum_vacuum_scale_factor,"
            " autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay)",
        ),
    ]
