"""The API beside a minimal FastAPI service and the bare transaction, through real servers."""
