"""The processes of a worker cluster: those of django-q2, changed so that each may be killed."""
