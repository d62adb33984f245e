"""Streams page events by the transaction that wrote them, and are woken by a NOTIFY.

Runs beside the release before: the column comes with a constant, which rewrites no row, and only
then takes the transaction as its default. What was written before counts as older than all.
"""

from django.db import migrations

import instances.models.event

_COLUMN = migrations.RunSQL(
    """
    ALTER TABLE instances_instanceevent ADD COLUMN xid xid8 NOT NULL DEFAULT '0';
    ALTER TABLE instances_instanceevent ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
    """,
    "ALTER TABLE instances_instanceevent DROP COLUMN xid;",
    state_operations=[
        migrations.AddField(
            model_name="instanceevent",
            name="xid",
            field=instances.models.event.TransactionIdField(
                db_default=instances.models.event.CurrentTransaction(), editable=False
            ),
        ),
    ],
)

# A transaction from the future was copied from another cluster, where it is long over.
_APPEND_ONLY = migrations.RunSQL(
    """
    CREATE OR REPLACE FUNCTION instances_refuse_event_change() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' AND NEW.xid = '0'
            AND OLD.xid >= pg_snapshot_xmax(pg_current_snapshot())
            AND OLD.xid <> pg_current_xact_id()
            AND to_jsonb(NEW) - 'xid' = to_jsonb(OLD) - 'xid'
        THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'instance events are append-only' USING ERRCODE = '23000';
    END $$;
    """,
    """
    CREATE OR REPLACE FUNCTION instances_refuse_event_change() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'instance events are append-only' USING ERRCODE = '23000';
    END $$;
    """,
)

# Postgres sends equal notifications of one transaction once.
_NOTIFY = migrations.RunSQL(
    """
    CREATE FUNCTION instances_notify_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('novitai_events', NEW.project_id::text);
        RETURN NULL;
    END $$;
    CREATE TRIGGER instances_event_notify
        AFTER INSERT ON instances_instanceevent
        FOR EACH ROW EXECUTE FUNCTION instances_notify_event();
    """,
    """
    DROP TRIGGER instances_event_notify ON instances_instanceevent;
    DROP FUNCTION instances_notify_event();
    """,
)


class Migration(migrations.Migration):
    dependencies = [("instances", "0007_credentials_and_readiness")]

    operations = [
        _COLUMN,
        _APPEND_ONLY,
        _NOTIFY,
    ]
