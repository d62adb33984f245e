"""The fault suite: tests the promises of the service with injected faults. Development only."""
