"""Starts the web server: ``python -m novitai.server``.

One process watches WEB_WORKERS others, replaces those that end, and passes SIGTERM on. SIGHUP puts
new ones in the place of all, one after the other.
"""

import argparse
import logging.config
import os
import resource
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
from uvicorn import Config as ServerConfig
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from novitai.env.config import ConfigError, load_config
from novitai.env.fields import Config
from novitai.monitoring.logs import logging_config

# asyncio accepts so many at once, before any is closed for being too many.
_MOST_BACKLOG, _BACKLOG_PART = 2048, 8
_OPEN_FILES = 16_384
_KEEP_ALIVE_SECONDS = 5
# For a process to answer its parent, which kills it otherwise; its start takes a few of them.
_HANGING_SECONDS = 30
_STOP_MARGIN_SECONDS = 3
_WATCH_SECONDS = 0.5


def main() -> int:
    options = _options()
    try:
        config = load_config()
    except ConfigError as error:
        sys.exit(str(error))
    style = config.log_format or ("json" if config.is_production else "console")
    logging.config.dictConfig(logging_config(level=config.log_level, style=style))
    # Here, where no request is served, it says which process has ended and why.
    logging.getLogger("uvicorn.error").setLevel(config.log_level)
    backlog = min(_allowed_sockets() // _BACKLOG_PART, _MOST_BACKLOG)
    with _metrics_folder():
        os.environ["NOVITAI_STARTED_AT"] = str(time.time())
        server = _server_config(config, options.stop_seconds, backlog)
        processes = Multiprocess(server, sockets=[listener(config, options.fd, backlog)])
        threading.Thread(target=_watch, args=[processes, options.stop_seconds], daemon=True).start()
        processes.run()
        has_failed = any(each.exitcode == STARTUP_FAILURE for each in processes.processes)
    return STARTUP_FAILURE if has_failed else 0


def _watch(processes: Multiprocess, stop_seconds: int) -> None:
    """Two things that uvicorn's parent process waits for too long, and cannot end by itself."""
    while not processes.should_exit.wait(_WATCH_SECONDS):
        for each in processes.processes:
            if _is_dead(each.pid):
                # uvicorn would wait _HANGING_SECONDS for the answer of a process that died after
                # the question, since it holds both ends of the pipe. It sees the death next time.
                with suppress(OSError):
                    each.child_conn.send(b"pong")
    # A process that stands still does not react to SIGTERM.
    time.sleep(stop_seconds + _STOP_MARGIN_SECONDS)
    for each in processes.processes:
        each.process.kill()


def _is_dead(pid: int | None) -> bool:
    """Whether it has ended; without taking its exit status, which uvicorn waits for."""
    try:
        return pid is not None and psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m novitai.server", description=__doc__)
    parser.add_argument("--fd", type=int, help="file descriptor of a socket to listen on")
    parser.add_argument(
        "--stop-seconds", type=int, default=20, help="time to finish requests after SIGTERM"
    )
    return parser.parse_args()


def _server_config(config: Config, stop_seconds: int, backlog: int) -> ServerConfig:
    return ServerConfig(
        "novitai.server.asgi:application",
        http="novitai.server.connection:Connection",
        ws="none",
        loop="novitai.server.loop:FairLoop",
        lifespan="on",
        workers=config.web_workers,
        backlog=backlog,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=stop_seconds,
        timeout_worker_healthcheck=_HANGING_SECONDS,
        # Our own middleware logs requests, with their ids; addresses are core.client_addresses'.
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=[("server", "novitai")],
    )


def listener(config: Config, fd: int | None, backlog: int) -> socket.socket:
    """The socket that all processes accept from."""
    if fd is not None:
        made = socket.socket(fileno=fd)
    else:
        family, host = family_and_host(config.web_host)
        made = socket.create_server(
            (host, config.port),
            family=family,
            backlog=backlog,
            # All addresses of IPv6 are all of IPv4, too.
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
    # Connections inherit it. An answer is written in two parts; without it the second one waits for
    # the client to acknowledge the first, 40 ms.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def family_and_host(web_host: str) -> tuple[socket.AddressFamily, str]:
    host = web_host.strip("[]")
    return socket.AF_INET6 if ":" in host else socket.AF_INET, host


@contextmanager
def _metrics_folder() -> Iterator[None]:
    """prometheus_client counts in files there, which all processes share."""
    folder = tempfile.mkdtemp(prefix=f"novitai-metrics-{os.getpid()}-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _allowed_sockets() -> int:
    """Limit of open files, raised: many systems begin with 1024, and each client takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


if __name__ == "__main__":
    sys.exit(main())
