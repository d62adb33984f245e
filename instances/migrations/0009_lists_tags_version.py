"""Tags and the version behind ETags. The indexes of the lists come with the next migration."""

from django.db import migrations, models
from django.db.models.functions import Now

# What a caller sees of an instance, and the receiver that PATCH may change. Left out: what only
# moves the cost, and what only workers know.
VISIBLE = [
    "name", "product_name", "template_id", "gpu_num", "rootfs_size_gb", "region", "billing_mode",
    "webhook_url", "max_price_per_hour_e5_usd", "max_runtime_minutes", "tags", "status",
    "error_code", "error_message", "created_at", "started_at", "ready_at", "ended_at",
    "reason_code", "reason_message", "expires_at", "product_id", "price_e5_usd", "placement",
    "upstream_id", "upstream_status", "spot_reclaim_at", "port_mappings", "connection", "readiness_probe",
]
_NEW = ", ".join(f"NEW.{name}" for name in VISIBLE)
_OLD = ", ".join(f"OLD.{name}" for name in VISIBLE)


class Migration(migrations.Migration):
    dependencies = [("instances", "0008_event_streams")]

    operations = [
        migrations.AddField(
            "instance", "tags", models.JSONField(blank=True, db_default={}, default=dict)
        ),
        migrations.AddField(
            "instance", "version",
            models.PositiveIntegerField(db_default=1, default=1, editable=False),
        ),
        migrations.RunSQL(
            f"""
            CREATE FUNCTION instances_count_version() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                -- Whatever the statement says of it: a row saved from memory carries an old one.
                NEW.version := OLD.version;
                IF ROW({_NEW}) IS DISTINCT FROM ROW({_OLD}) THEN
                    NEW.version := OLD.version + 1;
                END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER instances_instance_version
                BEFORE UPDATE ON instances_instance
                FOR EACH ROW EXECUTE FUNCTION instances_count_version();
            """,
            """
            DROP TRIGGER instances_instance_version ON instances_instance;
            DROP FUNCTION instances_count_version();
            """,
        ),
        migrations.RunSQL(
            """
            CREATE FUNCTION instances_tag_words(project bigint, tags jsonb) RETURNS text[]
            LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
                SELECT coalesce(array_agg(word), '{}') FROM jsonb_each_text(tags) AS tag,
                LATERAL (VALUES (project || ':' || tag.key),
                                (project || ':' || tag.key || '=' || tag.value)) AS words(word)
            $$;
            """,
            "DROP FUNCTION instances_tag_words(bigint, jsonb);",
        ),
        migrations.CreateModel(
            "ListedTemplate",
            [
                ("id", models.BigAutoField(
                    auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                )),
                ("account", models.CharField(max_length=16)),
                ("template_id", models.CharField(max_length=255)),
                ("name", models.CharField(blank=True, max_length=255)),
                ("channel", models.CharField(blank=True, max_length=40)),
                ("type", models.CharField(blank=True, max_length=40)),
                ("image", models.CharField(blank=True, max_length=1024)),
                ("rootfs_size_gb", models.PositiveIntegerField(default=0)),
                ("ports", models.JSONField(default=list)),
                ("min_cuda_version", models.CharField(blank=True, max_length=40)),
                ("fetched_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "template_id"), name="listed_template_once"
                    )
                ]
            },
        ),
    ]
