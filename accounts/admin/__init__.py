"""Admin pages of projects, keys, users and the audit."""

from accounts.admin import projects_and_keys, users  # noqa: F401 - they register themselves
