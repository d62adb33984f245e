"""The questions that are put to every contender."""
