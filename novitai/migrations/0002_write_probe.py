"""One row that /readyz and /health write, to learn whether the database takes writes."""

from django.db import migrations

_MAKE = """
CREATE TABLE IF NOT EXISTS novitai_write_probe (
    id smallint PRIMARY KEY CHECK (id = 1),
    written_at timestamptz NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000);
INSERT INTO novitai_write_probe (id, written_at) VALUES (1, clock_timestamp())
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("novitai", "0001_shared_cache")]

    operations = [migrations.RunSQL(_MAKE, "DROP TABLE IF EXISTS novitai_write_probe")]
