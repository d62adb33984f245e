"""What a request needs to get past the door: key, scope, rate, idempotency."""
