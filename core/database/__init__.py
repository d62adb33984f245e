"""The database as this service uses it: its address, its sessions, its failures."""
