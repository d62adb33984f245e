"""Projects (the owners of rows), API keys, scopes, authentication, rate limits, idempotency."""
