"""Changes of an instance, with their events, webhooks, jobs and endings."""
