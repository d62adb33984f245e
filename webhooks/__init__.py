"""Webhooks: endpoints, messages, ordered deliveries, replays. Knows projects and subjects."""
