"""REST framework classes that check a request: API key, scope, rate limit, idempotency."""
