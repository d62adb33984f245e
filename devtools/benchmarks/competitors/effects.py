"""The row that a ``commit`` job writes, the same for all competitors."""

TABLE = "CREATE TABLE IF NOT EXISTS bench_effect (id bigserial PRIMARY KEY, number int NOT NULL)"
INSERT = "INSERT INTO bench_effect (number) VALUES (%s)"
EMPTY = "TRUNCATE bench_effect"
