"""The HTTP side of instances: shapes in, shapes out."""
