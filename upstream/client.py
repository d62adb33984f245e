"""Client for Novita's API. Each method is one call, unless its docstring says otherwise."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from egress.transport import Transport
from upstream.answers.consequences import CallKind
from upstream.call import Call, Caller
from upstream.call_records import CallBudget, CallRecord
from upstream.listing import read_all_pages
from upstream.parsers import answers, items, template_items
from upstream.types import (
    Balance,
    Cluster,
    CreateRequest,
    InstancePage,
    Listing,
    Product,
    RegistryAuth,
    Skipped,
    Template,
    UpstreamInstance,
    UpstreamJob,
)

T = TypeVar("T")
DEFAULT_BASE_URL = "https://api.novita.ai/gpu-instance/openapi/v1"
_BASE_PATH = "/gpu-instance/openapi/v1"
_TEMPLATE_PAGE = 100
_JOB_PAGE = 100


class NovitaClient:
    """A client for one account; cheap to create, safe to share between threads.

    Every method uses the network and raises NovitaError. `timeout_seconds` is the total time of a
    call: connect, request, headers and body. Nothing is retried, except one repeat of a read whose
    kept-alive connection was already closed by the server. `calls` records how each call ended,
    `skipped` the unreadable list items by endpoint.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_seconds: float = 10.0,
        budget: CallBudget | None = None,
        request_id: str | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._caller = Caller(
            base_url,
            api_key,
            timeout_seconds=timeout_seconds,
            budget=budget,
            request_id=request_id,
            transport=transport,
        )
        self.skipped: list[tuple[str, Skipped]] = []

    def __repr__(self) -> str:
        return f"NovitaClient({self._caller.base_url!r})"

    @property
    def calls(self) -> list[CallRecord]:
        return self._caller.calls

    # Catalogue

    def list_clusters(self) -> tuple[Cluster, ...]:
        call = Call(endpoint="list_clusters", path="/clusters")
        return self._list(call, "data", items.read_cluster)

    def list_products(
        self,
        *,
        cluster_id: str | None = None,
        product_name: str | None = None,
        billing_mode: str | None = None,
        gpu_num: int | None = None,
    ) -> tuple[Product, ...]:
        """Without a billing mode, Novita answers for onDemand."""
        params = _params(
            clusterId=cluster_id,
            productName=product_name,
            billingMethod=billing_mode,
            gpuNum=gpu_num,
        )
        call = Call(endpoint="list_products", path="/products", params=params)
        return self._list(call, "data", items.read_product)

    def list_templates(
        self, *, channel: str = "private", max_pages: int = 20
    ) -> tuple[Template, ...]:
        """One call for every 100 templates of a channel: official, community or private."""
        found: dict[str, Template] = {}
        for number in range(1, max_pages + 1):
            params = _params(
                channel=channel,
                isMyCommunity="true" if channel == "private" else "false",
                pageNum=number,
                pageSize=_TEMPLATE_PAGE,
            )
            call = Call(endpoint="list_templates", path="/templates", params=params)
            page = self._parsed(call, "template", template_items.read_template)
            before = len(found)
            found |= {template.id: template for template in page.items}
            if len(found) == before or len(found) >= (page.total or 0):
                break
        return tuple(found.values())

    def get_template(self, template_id: str) -> Template:
        call = Call(
            endpoint="get_template",
            path="/template",
            params={"templateId": template_id},
            kind=CallKind.TEMPLATE,
        )
        return self._caller.fetch(
            call, lambda body: _noted(call, answers.parse_template(body, template_id))
        )

    def list_registry_auths(self) -> tuple[RegistryAuth, ...]:
        call = Call(endpoint="list_registry_auths", path="/repository/auths")
        return self._list(call, "data", template_items.read_registry_auth)

    def get_balance(self) -> Balance:
        """The balance API has another base path on the same host."""
        base = self._caller.base_url.removesuffix(_BASE_PATH)
        url = f"{base}/openapi/v1/billing/balance/detail"
        call = Call(endpoint="get_balance", path="", url=url)
        return self._caller.fetch(call, answers.parse_balance)

    # Instances

    def create_instance(
        self, request: CreateRequest, *, timeout_seconds: float | None = None
    ) -> str:
        """Id of the new instance, which is accepted and reserved but not running yet.

        Sent once, on a new connection. After an error with `is_outcome_unknown`, a 200 without an
        id included, an instance may exist: search for the name before sending again.
        """
        call = Call(
            endpoint="create_instance",
            path="/gpu/instance/create",
            body=request.to_json(),
            kind=CallKind.CREATE,
            is_fresh=True,
            timeout_seconds=timeout_seconds,
            secrets=(
                *(env.value for env in request.envs),
                *(request.image_auth, request.image_auth.partition(":")[2]),
            ),
        )
        return self._caller.fetch(call, answers.parse_created_id)

    def get_instance(self, instance_id: str) -> UpstreamInstance:
        """Get by id. Raises InstanceNotFound, the only answer that counts as absence."""
        call = Call(
            endpoint="get_instance",
            path="/gpu/instance",
            params={"instanceId": instance_id},
            kind=CallKind.GET,
        )
        return self._caller.fetch(
            call, lambda body: _noted(call, answers.parse_instance(body, instance_id))
        )

    def list_instances(
        self,
        *,
        page: int,
        page_size: int = 100,
        name: str | None = None,
        status: str | None = None,
    ) -> InstancePage:
        """One page. Novita matches `name` loosely: compare the names in the result."""
        params = _params(pageNum=page, pageSize=page_size, name=name, status=status)
        call = Call(endpoint="list_instances", path="/gpu/instances", params=params)

        def parse(body: Any) -> InstancePage:
            page = answers.parse_instance_page(body)
            _note_all(call, page.instances)
            return page

        found = self._caller.fetch(call, parse)
        self._note(call, found.skipped)
        return found

    def list_all_instances(
        self, *, name: str | None = None, page_size: int = 100, max_pages: int = 50
    ) -> Listing:
        """All pages: one call each, at most `max_pages` + 1."""
        fetch = functools.partial(_page, self, page_size, name)
        return read_all_pages(fetch, max_pages=max_pages)

    def list_jobs(self, *, job_type: str, max_pages: int = 3) -> tuple[UpstreamJob, ...]:
        """Novita's jobs of a type (saveImage, instanceMigrate, autoInstanceMigrate).

        One call for every 100 jobs. Only these show that a migration failed.
        """
        found: dict[str, UpstreamJob] = {}
        for number in range(1, max_pages + 1):
            params = _params(type=job_type, pageNum=number, pageSize=_JOB_PAGE)
            call = Call(endpoint="list_jobs", path="/jobs", params=params)
            page = self._parsed(call, "jobs", items.read_job)
            before = len(found)
            found |= {job.id: job for job in page.items}
            if len(found) == before or len(found) >= (page.total or 0):
                break
        return tuple(found.values())

    def start_instance(self, instance_id: str) -> None:
        self._act("start", instance_id)

    def stop_instance(self, instance_id: str) -> None:
        self._act("stop", instance_id)

    def restart_instance(self, instance_id: str) -> None:
        self._act("restart", instance_id)

    def migrate_instance(self, instance_id: str) -> None:
        """Keeps the id; data written to the system disk since the start is lost."""
        self._act("migrate", instance_id)

    def delete_instance(self, instance_id: str) -> None:
        """Accepted does not mean gone: confirm with get_instance."""
        self._act("delete", instance_id)

    def _act(self, verb: str, instance_id: str) -> None:
        """The answer is undocumented and is not parsed."""
        call = Call(
            endpoint=f"{verb}_instance",
            path=f"/gpu/instance/{verb}",
            body={"instanceId": instance_id},
            kind=CallKind.DELETE if verb == "delete" else CallKind.VERB,
        )
        self._caller.fetch(call, lambda _: None)

    def _list(self, call: Call, key: str, read: Callable[[Any], T | None]) -> tuple[T, ...]:
        return self._parsed(call, key, read).items

    def _parsed(
        self, call: Call, key: str, read: Callable[[Any], T | None]
    ) -> answers.ParsedList[T]:
        def parse(body: Any) -> answers.ParsedList[T]:
            found = answers.parse_list(body, key, read)
            _note_all(call, found.items)
            return found

        parsed = self._caller.fetch(call, parse)
        self._note(call, parsed.skipped)
        return parsed

    def _note(self, call: Call, skipped: tuple[Skipped, ...]) -> None:
        self.skipped.extend((call.endpoint, item) for item in skipped)


def _page(client: NovitaClient, page_size: int, name: str | None, number: int) -> InstancePage:
    return client.list_instances(page=number, page_size=page_size, name=name)


def _noted(call: Call, item: T) -> T:
    _note_all(call, (item,))
    return item


def _note_all(call: Call, items: Iterable[object]) -> None:
    for item in items:
        call.unknown_values.extend(getattr(item, "unknown_values", ()))


def _params(**values: str | int | None) -> Mapping[str, str]:
    return {key: str(value) for key, value in values.items() if value is not None}
