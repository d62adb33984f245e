"""The simulated cloud behind the API: no HTTP in here."""
