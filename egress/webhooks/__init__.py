"""Outgoing webhooks: signing, and the transport that refuses private addresses."""
