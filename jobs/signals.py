"""Signals that the queue sends."""

from django.dispatch import Signal

# Sent before a cluster starts. A receiver that raises ImproperlyConfigured stops the start: a
# worker that cannot do the work would only use up the attempts of its jobs.
cluster_starting = Signal()
