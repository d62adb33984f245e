"""Whose word an answer of Novita is, and what follows from it for each kind of call."""
