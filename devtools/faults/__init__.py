"""The fault suite: what the service promises, tested by force. Development only."""
