"""Buttons and bulk actions on instances. Each calls a service, with the operator as actor."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from core.admin_base import ReadOnlyAdmin
from instances import services
from instances.admin.permissions import may_change
from instances.domain.enums import InstanceStatus
from instances.domain.errors import InstanceError
from instances.domain.types import Cause
from instances.lifecycle import spend_rate
from instances.models import Instance
from jobs.admin.permissions import actor_of

MOST_AT_ONCE = 500
TOLD_REFUSALS = 3
REFUSED = "You may view instances but not change them. Ask a superuser for the permission."


@dataclass(frozen=True, slots=True)
class Button:
    """An action: its service, the statuses in which it is shown, the words of its success."""

    name: str
    label: str
    act: Callable[..., Instance]
    shown_in: frozenset[str]
    done: str


_S = InstanceStatus
START = Button("start", "Start", services.start_instance, frozenset({_S.STOPPED}), "starting")
STOP = Button("stop", "Stop", services.stop_instance, frozenset({_S.RUNNING}), "stopping")
RESTART = Button(
    "restart", "Restart", services.restart_instance, frozenset({_S.RUNNING}), "restarting"
)
TERMINATE = Button(
    "terminate",
    "Terminate",
    services.terminate_instance,
    frozenset(_S) - {_S.TERMINATING, _S.TERMINATED},
    "being terminated",
)
# Called on the failed instance; creates a new one.
AGAIN = Button(
    "again", "Create again", services.create_again, frozenset({_S.FAILED}), "created again"
)
BUTTONS = (START, STOP, RESTART, AGAIN)


class ControlledAdmin(ReadOnlyAdmin):
    """Start, Stop, Restart, Create again; Terminate with a confirmation page."""

    actions = (
        "start_selected",
        "stop_selected",
        "restart_selected",
        "again_selected",
        "terminate_selected",
    )
    change_form_template = "admin/instances/instance/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            *(
                path(
                    f"<int:pk>/{button.name}/",
                    view(require_POST(self._pressing(button))),
                    name=f"instances_instance_{button.name}",
                )
                for button in BUTTONS
            ),
            path("<int:pk>/terminate/", view(self.terminate), name="instances_instance_terminate"),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show only the buttons whose action is possible in the instance's status."""
        instance = self.get_object(request, object_id or "") if may_change(request) else None
        shown = [
            {"label": button.label, "url": _url(button, instance.pk)}
            for button in BUTTONS
            if instance is not None and _would_act(button, instance)
        ]
        can_terminate = instance is not None and instance.status in TERMINATE.shown_in
        context = {**(extra_context or {}), "buttons": shown, "can_terminate": can_terminate}
        return super().changeform_view(request, object_id, form_url, context)

    def _pressing(self, button: Button) -> Callable[..., HttpResponseBase]:
        def press(request: HttpRequest, pk: int) -> HttpResponseBase:
            return self._press(request, button, get_object_or_404(Instance, pk=pk))

        return press

    def terminate(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """GET shows the confirmation page, POST terminates."""
        instance = get_object_or_404(Instance, pk=pk)
        if request.method == "POST" or not may_change(request):
            return self._press(request, TERMINATE, instance)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "POST"])
        return self._ask(request, [instance], back=_page(instance.pk))

    def _press(self, request: HttpRequest, button: Button, instance: Instance) -> HttpResponseBase:
        _run_and_report(request, button, [instance])
        return HttpResponseRedirect(_page(instance.pk))

    def _ask(
        self,
        request: HttpRequest,
        instances: Sequence[Instance],
        *,
        back: str,
        action: dict[str, Any] | None = None,
    ) -> TemplateResponse:
        """The confirmation page: the instances, their cost an hour, and the loss of their disks."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Terminate?",
            "opts": self.opts,
            "rows": [(each, spend_rate.of(each).text) for each in instances],
            "total": spend_rate.of_confirmation(instances).text,
            "back": back,
            "action": action,
        }
        return TemplateResponse(request, "admin/instances/instance/terminate.html", context)

    @admin.action(description="Start selected instances", permissions=["control"])
    def start_selected(self, request: HttpRequest, rows: QuerySet[Instance]) -> None:
        _run_and_report(request, START, _some(request, rows))

    @admin.action(description="Stop selected instances", permissions=["control"])
    def stop_selected(self, request: HttpRequest, rows: QuerySet[Instance]) -> None:
        _run_and_report(request, STOP, _some(request, rows))

    @admin.action(description="Restart selected instances", permissions=["control"])
    def restart_selected(self, request: HttpRequest, rows: QuerySet[Instance]) -> None:
        _run_and_report(request, RESTART, _some(request, rows))

    @admin.action(description="Create selected failed instances again", permissions=["control"])
    def again_selected(self, request: HttpRequest, rows: QuerySet[Instance]) -> None:
        _run_and_report(request, AGAIN, _some(request, rows))

    @admin.action(description="Terminate selected instances", permissions=["control"])
    def terminate_selected(
        self, request: HttpRequest, rows: QuerySet[Instance]
    ) -> TemplateResponse | None:
        """Terminates the instances that the confirmation page listed, even if the filter of the
        list matches others by now.
        """
        instances = _some(request, rows)
        if request.POST.get("confirmed"):
            _run_and_report(request, TERMINATE, instances)
            return None
        action = {"name": "terminate_selected", "checkbox": ACTION_CHECKBOX_NAME}
        return self._ask(request, instances, back=request.get_full_path(), action=action)

    def has_control_permission(self, request: HttpRequest) -> bool:
        return may_change(request)


def _would_act(button: Button, instance: Instance) -> bool:
    is_spent = button is AGAIN and services.made_from(instance) is not None
    return instance.status in button.shown_in and not is_spent


def _some(request: HttpRequest, rows: QuerySet[Instance]) -> Sequence[Instance]:
    found = list(rows[: MOST_AT_ONCE + 1])
    if len(found) > MOST_AT_ONCE:
        messages.warning(
            request,
            f"Only the first {MOST_AT_ONCE} instances were processed. Repeat the action for the"
            " rest.",
        )
    return found[:MOST_AT_ONCE]


def _run_and_report(request: HttpRequest, button: Button, instances: Iterable[Instance]) -> None:
    """Run the action on each instance, and report the result in at most three messages."""
    if not may_change(request):
        messages.error(request, REFUSED)
        return
    cause = cause_of(request, f"{button.label} in the admin")
    done: list[str] = []
    unchanged: list[str] = []
    refused: list[str] = []
    for instance in instances:
        try:
            acted = button.act(public_id=instance.public_id, cause=cause)
        except InstanceError as error:
            refused.append(str(error))
            continue
        is_unchanged = button is not AGAIN and acted.status == instance.status
        (unchanged if is_unchanged else done).append(str(acted))
    if done:
        what = f"{done[0]} is" if len(done) == 1 else f"{len(done)} instances are"
        messages.success(request, f"{what} {button.done}.")
    if unchanged:
        # Repeating an action that is done or under way changes nothing and is no error.
        what = f"{unchanged[0]} is" if len(unchanged) == 1 else f"{len(unchanged)} instances are"
        messages.info(
            request,
            f"Nothing was changed: {what} already in the requested status, or changing to it.",
        )
    if refused:
        others = len(refused) - TOLD_REFUSALS
        rest = f" {others} more were refused." if others > 0 else ""
        messages.error(request, " ".join(refused[:TOLD_REFUSALS]) + rest)


def cause_of(request: HttpRequest, reason: str) -> Cause:
    """The cause of an action in the admin, with the request id, which finds its log lines."""
    return Cause(actor_of(request), reason, request_id=getattr(request, "request_id", ""))


def _url(button: Button, pk: int) -> str:
    return reverse(f"admin:instances_instance_{button.name}", args=[pk])


def _page(pk: int) -> str:
    return reverse("admin:instances_instance_change", args=[pk])
