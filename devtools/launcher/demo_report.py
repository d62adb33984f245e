"""Output of the demo: live in a terminal, plain lines elsewhere (pipes, CI logs)."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape

from devtools.launcher.webhook import SIGNING_HEADERS, Webhook

Details = dict[str, Any]
_COLOURS = {"creating": "yellow", "starting": "cyan", "running": "green", "failed": "red"}
_LABEL_WIDTH = 32


class Report:
    """Prints the steps of the demo."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._started_at = time.monotonic()

    def title(self) -> None:
        self._console.print("[bold]novitai demo[/]: one GPU instance, on a simulated Novita\n")

    def starting(self, what: str) -> None:
        self._console.print(f"  [dim]waiting for {escape(what)} ...[/]")

    def started(self, what: str, url: str) -> None:
        self._console.print(f"  [green]✓[/] {escape(what):{_LABEL_WIDTH}} {escape(url)}")

    def request(self, url: str, body: Details) -> None:
        self._heading("Request")
        self._console.print(f"  POST {escape(url)}")
        self._console.print(f"  {escape(json.dumps(body))}")

    def answer(self, status: int, body: Any) -> None:
        self._console.print(f"  [bold]{status}[/] {escape(json.dumps(body))}")

    @contextmanager
    def progress(self, since: float) -> Iterator[Callable[[Details], None]]:
        """Yields a function to call with the details of each GET; it prints each status once."""
        self._heading("Progress")
        seen: list[str] = []
        with self._console.status("") as live:

            def show(details: Details) -> None:
                seconds = time.monotonic() - since
                status = str(details["status"])
                if not seen or seen[-1] != status:
                    seen.append(status)
                    self._console.print(f"  +{seconds:4.1f} s  {_coloured(status)}{_why(details)}")
                live.update(f"{_coloured(status)} for {seconds:.1f} s")

            yield show

    def connection(self, details: Details) -> None:
        self._heading("Connection")
        connection = details.get("connectionDetails") or {}
        for name, value in connection.items():
            text = value if isinstance(value, str) else json.dumps(value)
            self._row(name, text)
        for mapping in details["portMappings"]:
            self._row(f"port {mapping['port']} ({mapping['type']})", mapping["endpoint"])

    def price(self, details: Details) -> None:
        placement = details.get("placement") or {}
        self._heading("Price")
        gpus = f"{details['gpuNum']} GPUs, {details['billingMode']}"
        self._row("this instance", f"${details['pricePerHourUsd']} per hour ({gpus})")
        self._row("why", placement["reason"])
        self._row("chosen", _offer(placement["chosen"]))
        for offer in placement["alternatives"]:
            self._row("more expensive", _offer(offer))
        for product in placement["rejected"]:
            self._row("not possible", f"{product['productId']}: {product['reason']}")

    def webhook(self, webhook: Webhook) -> None:
        self._heading("Webhook")
        message = webhook.message
        for name in ("type", "timestamp", "instanceId", "status"):
            self._row(name, str(message[name]))
        for name in SIGNING_HEADERS:
            self._row(name, webhook.headers[name])
        self._console.print("  [green]✓[/] signature verified with the standardwebhooks library")

    def end(self) -> None:
        seconds = time.monotonic() - self._started_at
        self._console.print(
            f"\n[bold green]All steps succeeded[/] in {seconds:.0f} s. `make run` starts it."
        )

    def _heading(self, text: str) -> None:
        self._console.print(f"\n[bold]{text}[/]")

    def _row(self, label: str, text: str) -> None:
        self._console.print(f"  {escape(label):{_LABEL_WIDTH - 8}} {escape(text)}")


def _coloured(status: str) -> str:
    return f"[{_COLOURS.get(status, 'white')}]{escape(status)}[/]"


def _why(details: Details) -> str:
    upstream = details.get("novitaInstanceId")
    return f"  [dim]Novita's {escape(upstream)}[/]" if upstream else ""


def _offer(offer: dict[str, str]) -> str:
    return f"{offer['productId']} at ${offer['pricePerGpuHourUsd']} per GPU-hour"
