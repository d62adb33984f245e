"""Writes that change an instance, together with their events, webhooks, jobs and terminations."""
