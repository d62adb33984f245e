"""The console itself: its site, log-ins, sessions and the hashing of passwords."""
