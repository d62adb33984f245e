"""The processes of a worker cluster: django-q2's, made safe to kill."""
