"""Job types for the cluster's tests; the service's own, which call Novita, are not there."""
