"""Novita's GPU instance API as a plain library: no Django, no database, no retries."""
