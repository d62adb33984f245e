"""The web server: gunicorn's threaded worker, whose threads do not wait for clients."""
