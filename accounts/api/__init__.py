"""The HTTP side of keys: to look at, to revoke."""
