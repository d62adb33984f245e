"""The admin as a whole: its site, log-ins, sessions and password hashing."""
