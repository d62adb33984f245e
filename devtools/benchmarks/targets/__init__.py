"""The engine's own promises, each put to the test that could break it."""
