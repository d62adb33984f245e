"""The steps of creating an instance exactly once; handlers/create.py strings them together."""
