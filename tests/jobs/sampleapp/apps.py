from django.apps import AppConfig


class SampleConfig(AppConfig):
    name = "tests.jobs.sampleapp"

    def ready(self) -> None:
        from jobs import registry
        from tests.jobs.sampleapp.handlers import Hanging, Noop

        registry._types.clear()
        registry.register(registry.JobType("noop", Noop()))
        registry.register(registry.JobType("hanging", Hanging()))
