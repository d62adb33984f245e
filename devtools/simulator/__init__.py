"""A stand-in for Novita's API for development, tests and benchmarks. The product never uses it."""
