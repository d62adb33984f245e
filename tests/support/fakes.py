"""An upstream in memory, behind the verbs of NovitaClient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from instances.novita.limiter import Permit
from upstream.access import Access
from upstream.call_records import CallBudget, CallRecord, outcome_of
from upstream.errors import (
    InstanceNotFound,
    InvalidStateChange,
    NovitaError,
    NovitaServerError,
    NovitaTimeout,
    RateLimited,
    Source,
    TemplateNotFound,
)
from upstream.facts import CONNECT_FACTS
from upstream.listing import read_all_pages
from upstream.types import (
    Balance,
    Cluster,
    CreateRequest,
    InstancePage,
    Listing,
    Product,
    RegistryAuth,
    Template,
    TemplatePort,
    UpstreamInstance,
    UpstreamJob,
)

CLUSTER = Cluster("us-ca-6", "US-CA-06 (California)")
PRODUCT = Product(
    id="prod-a",
    name="RTX 4090 24GB",
    available_deploy=True,
    min_rootfs_gb=10,
    max_rootfs_gb=500,
    regions=("US-CA-06 (California)",),
    on_demand_price_e5_usd=70_000,
    spot_price_e5_usd=35_000,
    billing_modes=frozenset({"spot", "onDemand"}),
)
TEMPLATE = Template(
    id="tpl-1", name="jupyter", image="docker.io/acme/jupyter:1", ports=(TemplatePort("http", 80),)
)
BORN = datetime(2026, 1, 1, tzinfo=UTC)

TIMED_OUT = NovitaTimeout("create_instance: no answer", is_outcome_unknown=True)
DOWN = NovitaServerError("500", status=500)
TOO_MANY = RateLimited("429", status=429, retry_after=7)
WRONG_STATE = InvalidStateChange("400 invalid state change", status=400)

# Which of Novita's words a verb needs, and which one it leads to.
VERBS = {
    "start_instance": ({"exited"}, "toStart"),
    "stop_instance": ({"running"}, "toStop"),
    "restart_instance": ({"running"}, "toRestart"),
    "migrate_instance": ({"exited"}, "migrating"),
}


@dataclass
class FakeNovita:
    """The account at Novita: what it sells, what runs, and how the next calls go wrong."""

    clusters: list[Cluster] = field(default_factory=lambda: [CLUSTER])
    products: list[Product] = field(default_factory=lambda: [PRODUCT])
    templates: dict[str, Template] = field(default_factory=lambda: {TEMPLATE.id: TEMPLATE})
    auths: list[RegistryAuth] = field(default_factory=list)
    instances: dict[str, UpstreamInstance] = field(default_factory=dict)
    balance_e5_usd: int = 10_000_000
    unlisted: set[str] = field(default_factory=set)
    lists_endpoints: bool = False
    jobs: list[UpstreamJob] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    created: list[CreateRequest] = field(default_factory=list)
    # What lists show of an instance, and of the account, if not what there is.
    shows: Callable[[UpstreamInstance], UpstreamInstance] = lambda item: item
    lists: Callable[[InstancePage], InstancePage] = lambda page: page
    # What happens here once a call to the endpoint has done its work, before its answer.
    meanwhile: dict[str, Callable[[], object]] = field(default_factory=dict)
    _faults: dict[str, list[tuple[NovitaError, bool]]] = field(default_factory=dict)

    def client(self, permit: Permit, *, request_id: str = "") -> FakeClient:
        return FakeClient(self, CallBudget(permit.calls))

    def fail(
        self, endpoint: str, error: NovitaError, *, times: int = 1, acts: bool = False
    ) -> None:
        """The next calls of an endpoint raise; with ``acts`` they do their work all the same."""
        self._faults.setdefault(endpoint, []).extend([(error, acts)] * times)

    def heal(self) -> None:
        self._faults.clear()

    def put(self, upstream_id: str, **fields: Any) -> UpstreamInstance:
        made = replace(
            self.instances.get(upstream_id, _born(upstream_id)),
            **fields,
        )
        self.instances[upstream_id] = made
        return made

    def page(self, number: int, size: int, name: str | None) -> InstancePage:
        shown = [
            each
            for each in self.instances.values()
            if each.id not in self.unlisted and (name or "") in each.name
        ]
        items = map(self.listed, shown[(number - 1) * size : number * size])
        return self.lists(InstancePage(tuple(items), len(shown)))

    def listed(self, item: UpstreamInstance) -> UpstreamInstance:
        """A list item as documented: without connect blocks and, unless told otherwise, without
        the endpoints of its ports.
        """
        ports = item.port_mappings
        if not self.lists_endpoints:
            ports = tuple(replace(each, endpoint=None) for each in ports)
        thin = replace(
            item,
            port_mappings=ports,
            ssh_command="",
            jupyter_url="",
            web_terminal_url="",
            access=Access(),
            facts=item.facts - CONNECT_FACTS,
        )
        return self.shows(thin)

    def next_fault(self, endpoint: str) -> tuple[NovitaError, bool] | None:
        faults = self._faults.get(endpoint)
        return faults.pop(0) if faults else None


def _born(upstream_id: str) -> UpstreamInstance:
    return UpstreamInstance(upstream_id, created_at=BORN, ssh_command="ssh root@h")


class FakeClient:
    """NovitaClient's verbs over a FakeNovita, with its budget and its records."""

    def __init__(self, novita: FakeNovita, budget: CallBudget) -> None:
        self._novita = novita
        self._budget = budget
        self.calls: list[CallRecord] = []

    def _call(self, endpoint: str, act: Callable[[], Any]) -> Any:
        self._budget.take()
        self._novita.calls.append(endpoint)
        error: NovitaError | None = None
        try:
            fault = self._novita.next_fault(endpoint)
            if fault is None:
                result = act()
                self._novita.meanwhile.get(endpoint, lambda: None)()
                return result
            error, still_acts = fault
            if still_acts:
                act()
            raise error
        except NovitaError as caught:
            error = caught
            raise
        finally:
            self.calls.append(
                CallRecord(
                    endpoint=endpoint,
                    outcome=outcome_of(error),
                    seconds=0.1,
                    counts_as_outage=error is not None and error.counts_as_outage,
                    status=error.status if error else 200,
                    retry_after=error.retry_after if error else None,
                    source=error.source if error else Source.NOVITA,
                    reason=error.reason if error else "",
                    text=str(error) if error else "",
                )
            )

    def list_clusters(self) -> Sequence[Cluster]:
        return self._call("list_clusters", lambda: tuple(self._novita.clusters))

    def list_products(
        self, *, cluster_id: str | None = None, billing_mode: str | None = None
    ) -> Sequence[Product]:
        return self._call("list_products", lambda: tuple(self._novita.products))

    def list_templates(self, *, channel: str, max_pages: int) -> Sequence[Template]:
        shown = [each for each in self._novita.templates.values() if each.channel == channel]
        return self._call("list_templates", lambda: tuple(shown))

    def get_template(self, template_id: str) -> Template:
        return self._call("get_template", lambda: self._template(template_id))

    def _template(self, template_id: str) -> Template:
        if template_id not in self._novita.templates:
            raise TemplateNotFound("404 TEMPLATE_NOT_FOUND", status=404)
        return self._novita.templates[template_id]

    def get_balance(self) -> Balance:
        amount = self._novita.balance_e5_usd
        return self._call("get_balance", lambda: Balance(amount, amount, 0))

    def list_registry_auths(self) -> Sequence[RegistryAuth]:
        return self._call("list_registry_auths", lambda: tuple(self._novita.auths))

    def create_instance(self, request: CreateRequest) -> str:
        return self._call("create_instance", lambda: self._create(request))

    def _create(self, request: CreateRequest) -> str:
        upstream_id = f"up-{len(self._novita.created) + 1}"
        self._novita.created.append(request)
        self._novita.put(upstream_id, name=request.name, status="toCreate")
        return upstream_id

    def get_instance(self, upstream_id: str) -> UpstreamInstance:
        return self._call("get_instance", lambda: self._get(upstream_id))

    def _get(self, upstream_id: str) -> UpstreamInstance:
        if upstream_id not in self._novita.instances:
            raise InstanceNotFound("404 NOT_FOUND", status=404)
        return self._novita.instances[upstream_id]

    def delete_instance(self, upstream_id: str) -> None:
        self._call("delete_instance", lambda: self._delete(upstream_id))

    def _delete(self, upstream_id: str) -> None:
        self._get(upstream_id)
        del self._novita.instances[upstream_id]

    def list_jobs(self, *, job_type: str) -> Sequence[UpstreamJob]:
        jobs = tuple(each for each in self._novita.jobs if each.type == job_type)
        return self._call("list_jobs", lambda: jobs)

    def start_instance(self, upstream_id: str) -> None:
        self._change("start_instance", upstream_id)

    def stop_instance(self, upstream_id: str) -> None:
        self._change("stop_instance", upstream_id)

    def restart_instance(self, upstream_id: str) -> None:
        self._change("restart_instance", upstream_id)

    def migrate_instance(self, upstream_id: str) -> None:
        self._change("migrate_instance", upstream_id)

    def _change(self, endpoint: str, upstream_id: str) -> None:
        """Each verb moves the instance to its first word; what follows is for the test to put."""
        allowed, word = VERBS[endpoint]

        def act() -> None:
            if self._get(upstream_id).status not in allowed:
                raise WRONG_STATE
            self._novita.put(upstream_id, status=word)

        self._call(endpoint, act)

    def list_instances(
        self, *, page: int, page_size: int = 100, name: str | None = None
    ) -> InstancePage:
        return self._call("list_instances", lambda: self._novita.page(page, page_size, name))

    def list_all_instances(
        self, *, name: str | None = None, page_size: int = 100, max_pages: int = 50
    ) -> Listing:
        def fetch(number: int) -> InstancePage:
            return self.list_instances(page=number, page_size=page_size, name=name)

        return read_all_pages(fetch, max_pages=max_pages)
