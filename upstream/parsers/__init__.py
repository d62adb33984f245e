"""From JSON of Novita, in whatever wrapping, to the values of `types`."""
