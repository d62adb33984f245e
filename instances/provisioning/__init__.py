"""Steps of a create that happens exactly once; handlers/create.py runs them in order."""
