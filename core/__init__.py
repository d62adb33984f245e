"""Code that all apps share: clock, ids, prepared statements, admin base classes, database."""
