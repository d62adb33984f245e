"""Configuration from the environment: fields, types, checks, reference."""
