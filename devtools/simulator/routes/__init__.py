"""The calls of the upstream service, one module per subject, each exporting `ROUTES`."""
