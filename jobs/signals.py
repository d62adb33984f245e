"""What the queue tells of itself to whoever wants to know."""

from django.dispatch import Signal

# Before a cluster starts. A receiver that raises ImproperlyConfigured keeps it from starting:
# a worker that cannot do the work would only spend its attempts.
cluster_starting = Signal()
