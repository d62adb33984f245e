"""API of webhooks: endpoints, deliveries, replays, and the feed of messages."""
