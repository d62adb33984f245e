"""A helper that makes Prometheus gauges from rows."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily


def gauge(
    name: str, help_: str, labels: tuple[str, ...], rows: Iterable[tuple[object, ...]]
) -> Metric:
    """Each row: the label values, then the value."""
    family = GaugeMetricFamily(f"novitai_{name}", help_, labels=labels)
    for *values, figure in rows:
        family.add_metric([str(value) for value in values], float(str(figure)))
    return family
