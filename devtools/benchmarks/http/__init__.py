"""The API, a minimal FastAPI service and the bare transaction, measured with real servers."""
