"""Why a create waits, and why creates are held; what an instance waits for is shown, so it counts
as a version.
"""

from django.db import migrations, models

# As in 0012, and the last three.
VISIBLE = [
    "name", "product_name", "template_id", "gpu_num", "rootfs_size_gb", "region", "billing_mode",
    "webhook_url", "max_price_per_hour_e5_usd", "max_runtime_minutes", "tags", "status",
    "error_code", "error_message", "created_at", "started_at", "ready_at", "ended_at",
    "reason_code", "reason_message", "expires_at", "product_id", "price_e5_usd", "placement",
    "upstream_id", "upstream_status", "spot_reclaim_at", "port_mappings", "connection",
    "readiness_probe", "probe_error", "wait_code", "wait_message",
    "waiting_since",
]


def _function(names: list[str]) -> str:
    new, old = (", ".join(f"{row}.{name}" for name in names) for row in ("NEW", "OLD"))
    return f"""
        CREATE OR REPLACE FUNCTION instances_count_version() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.version := OLD.version;
            IF ROW({new}) IS DISTINCT FROM ROW({old}) THEN
                NEW.version := OLD.version + 1;
            END IF;
            RETURN NEW;
        END $$;
    """


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0012_show_probe_error'),
    ]

    operations = [
        migrations.AddField(
            model_name='instance',
            name='unanswered_offers',
            field=models.JSONField(blank=True, db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name='instance',
            name='wait_code',
            field=models.CharField(blank=True, db_default='', default='', max_length=40),
        ),
        migrations.AddField(
            model_name='instance',
            name='wait_message',
            field=models.CharField(blank=True, db_default='', default='', max_length=500),
        ),
        migrations.AddField(
            model_name='instance',
            name='waiting_since',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='upstreamgate',
            name='account_hold',
            field=models.CharField(blank=True, db_default='', default='', max_length=20),
        ),
        migrations.AddField(
            model_name='upstreamgate',
            name='account_refused_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='upstreamgate',
            name='creates_failures',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='upstreamgate',
            name='creates_hold',
            field=models.CharField(blank=True, db_default='', default='', max_length=20),
        ),
        migrations.AddField(
            model_name='upstreamgate',
            name='creates_probe_until',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='upstreamgate',
            name='creates_retry_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='upstreamgate',
            name='hold',
            field=models.CharField(blank=True, choices=[('', 'None'), ('key_refused', 'Key Refused'), ('edge', 'Edge'), ('outage', 'Outage'), ('rate', 'Rate'), ('balance', 'Balance'), ('quota', 'Quota')], db_default='', default='', max_length=20),
        ),
        migrations.AddField(
            model_name='upstreamgate',
            name='hold_message',
            field=models.CharField(blank=True, db_default='', default='', max_length=300),
        ),
        migrations.AddField(
            model_name='upstreamgate',
            name='hold_since',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='upstreamgate',
            name='reads_refused_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RunSQL(_function(VISIBLE), _function(VISIBLE[:-3])),
    ]
