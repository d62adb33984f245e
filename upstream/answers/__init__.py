"""Decides whether an answer is Novita's own, and what it means for each kind of call."""
