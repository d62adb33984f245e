"""Lease tokens only grow, so that a taken-over lease is told from the present one for ever."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE jobs_lease_token AS bigint",
            "DROP SEQUENCE jobs_lease_token",
        ),
        # A queue's rows die young: clean up after every 1,000 dead ones instead of a fifth of all,
        # else the claim wades through them.
        migrations.RunSQL(
            "ALTER TABLE jobs_job SET (autovacuum_vacuum_scale_factor = 0,"
            " autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0)",
            "ALTER TABLE jobs_job RESET (autovacuum_vacuum_scale_factor,"
            " autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay)",
        ),
    ]
