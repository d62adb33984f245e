"""Parsers from Novita's JSON, in any wrapping, to the dataclasses of `types`."""
