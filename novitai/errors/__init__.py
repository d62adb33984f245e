"""The one error format: codes, answers, pages for people."""
