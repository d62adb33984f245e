"""Notices of spot reclaims by status and time, and what Novita reports while it lasts. Both are
shown, so they count as a version.
"""

from django.db import migrations, models


# As in 0013, and the last three.
VISIBLE = [
    "name", "product_name", "template_id", "gpu_num", "rootfs_size_gb", "region", "billing_mode",
    "webhook_url", "max_price_per_hour_e5_usd", "max_runtime_minutes", "tags", "status",
    "error_code", "error_message", "created_at", "started_at", "ready_at", "ended_at",
    "reason_code", "reason_message", "expires_at", "product_id", "price_e5_usd", "placement",
    "upstream_id", "upstream_status", "spot_reclaim_at", "port_mappings", "connection",
    "readiness_probe", "probe_error", "wait_code", "wait_message", "waiting_since",
    "spot_noticed_at", "trouble_code", "trouble_message",
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
        ('instances', '0015_absence'),
    ]

    operations = [
        migrations.AddField(
            model_name='instance',
            name='spot_noticed_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='instance',
            name='spot_past_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='instance',
            name='spot_status',
            field=models.CharField(blank=True, db_default='', default='', max_length=40),
        ),
        migrations.AddField(
            model_name='instance',
            name='trouble_code',
            field=models.CharField(blank=True, db_default='', default='', max_length=40),
        ),
        migrations.AddField(
            model_name='instance',
            name='trouble_looks',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='instance',
            name='trouble_message',
            field=models.CharField(blank=True, db_default='', default='', max_length=300),
        ),
        migrations.AddField(
            model_name='instance',
            name='trouble_since',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='instance',
            name='trouble_told',
            field=models.JSONField(blank=True, db_default={}, default=dict),
        ),
        migrations.RunSQL(_function(VISIBLE), _function(VISIBLE[:-3])),
    ]
