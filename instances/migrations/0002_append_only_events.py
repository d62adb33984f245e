"""Events are history: Postgres itself refuses to change or delete them."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("instances", "0001_initial")]

    operations = [
        migrations.RunSQL(
            """
            CREATE FUNCTION instances_refuse_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'instance events are append-only' USING ERRCODE = '23000';
            END $$;
            CREATE TRIGGER instances_event_append_only
                BEFORE UPDATE OR DELETE ON instances_instanceevent
                FOR EACH ROW EXECUTE FUNCTION instances_refuse_event_change();
            """,
            """
            DROP TRIGGER instances_event_append_only ON instances_instanceevent;
            DROP FUNCTION instances_refuse_event_change();
            """,
        ),
    ]
