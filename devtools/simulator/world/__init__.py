"""The simulated cloud behind the API; without HTTP."""
