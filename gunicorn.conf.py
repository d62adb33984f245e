"""How gunicorn serves the service: ``gunicorn`` in the folder of this file."""

import gc
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import gunicorn.http.wsgi

from novitai.env.config import ConfigError, load_config

try:
    _config = load_config()
except ConfigError as error:
    sys.exit(str(error))

# What answers is nobody's business.
gunicorn.http.wsgi.SERVER = "novitai"

wsgi_app = "novitai.wsgi"
_host = f"[{_config.web_host}]" if ":" in _config.web_host else _config.web_host
bind = f"{_host}:{_config.port}"
worker_class = "novitai.server.web_worker.WebWorker"
workers = _config.web_workers
# Threads live as long as their process, so each keeps one database connection of its own:
# WEB_WORKERS x WEB_THREADS connections at most, and no pool that forks could share.
threads = _config.web_threads
# A thread's request may take as long as its slowest allowed statement; a process that says
# nothing for a minute hangs.
timeout = 60
graceful_timeout = 20
keepalive = 5
# Those that wait are cheap, and whoever has so many keeps the others from connecting. A process
# that runs out of files dies.
_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
worker_connections = 4000 if _files == resource.RLIM_INFINITY else min(4000, _files // 2)
# Files too go through the client's socket object, which keeps what is not taken at once.
sendfile = False
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190
# Our own middleware logs requests, with their ids.
accesslog = None
errorlog = "-"
loglevel = "warning"
forwarded_allow_ips = _config.forwarded_allow_ips
# By default a trusted peer's SCRIPT_NAME header cuts the beginning off the path: a request would
# pass the path rules of a proxy that forwards such headers.
forwarder_headers = ""
control_socket_disable = True


def _metrics_folder() -> str:
    """One folder per start; a reload (SIGHUP) reads this file again and must find the same one."""
    prefix = f"novitai-metrics-{os.getpid()}-"
    known = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
    return known if Path(known).name.startswith(prefix) else tempfile.mkdtemp(prefix=prefix)


# Before any worker imports prometheus_client, which then counts in files that all of them share.
_folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics_folder()
os.environ["NOVITAI_STARTED_AT"] = str(time.time())


def post_fork(server: Any, worker: Any) -> None:
    """Who has its answer from Postgres must not wait 5 ms for each thread that computes."""
    sys.setswitchinterval(0.0005)


def post_worker_init(worker: Any) -> None:
    """What is loaded by now stays: the collector need not look through it time and again."""
    gc.collect()
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    """Forget the live gauges of a dead process; its counters stay, as counters must."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    """Leave nothing in the temporary folder."""
    shutil.rmtree(_folder, ignore_errors=True)
