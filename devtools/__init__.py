"""What only developers run: launcher, simulator, fault suite, benchmarks, embedded Postgres."""
