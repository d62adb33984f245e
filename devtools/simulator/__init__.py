"""A stand-in for the upstream GPU API: for development, tests and benchmarks, never imported by
the product."""
