"""What a readiness probe said last is shown, so it counts as a version."""

from django.db import migrations

# As in 0009, and the last one.
VISIBLE = [
    "name", "product_name", "template_id", "gpu_num", "rootfs_size_gb", "region", "billing_mode",
    "webhook_url", "max_price_per_hour_e5_usd", "max_runtime_minutes", "tags", "status",
    "error_code", "error_message", "created_at", "started_at", "ready_at", "ended_at",
    "reason_code", "reason_message", "expires_at", "product_id", "price_e5_usd", "placement",
    "upstream_id", "upstream_status", "spot_reclaim_at", "port_mappings", "connection",
    "readiness_probe", "probe_error",
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
    dependencies = [("instances", "0011_python_defaults")]

    operations = [migrations.RunSQL(_function(VISIBLE), _function(VISIBLE[:-1]))]
