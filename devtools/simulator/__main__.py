"""Start the simulator: `python -m devtools.simulator --port 0 --state FILE --api-key KEY`."""

from __future__ import annotations

import argparse
import threading

from devtools.simulator.api import GPU_BASE, Api
from devtools.simulator.clock import SimulatedClock
from devtools.simulator.control_api import ControlApi
from devtools.simulator.secret import secret
from devtools.simulator.server import Server, run
from devtools.simulator.store import Store
from devtools.simulator.world.world import World


def main() -> None:
    """Serve until SIGTERM or SIGINT; prints one line once connections are accepted."""
    options = _parser().parse_args()
    store = Store(options.state)
    world = _open_world(store, options)
    stopping = threading.Event()
    key = secret(options.api_key, options.api_key_file, "SIMULATOR_API_KEY")
    if not key:
        _parser().error("no API key: set SIMULATOR_API_KEY, or give --api-key-file or --api-key")
    control = ControlApi(Api(world, key, sleep=stopping.wait))
    address = (options.host, options.port)
    server = Server(address, control.handle, stopping, verbose=options.verbose)
    host, port = server.server_address[:2]
    if options.endpoint_host:
        world.own_address = f"{options.endpoint_host}:{port}"
    run(server, f"Simulator http://{host!s}:{port}{GPU_BASE}", with_parent=options.end_with_parent)
    world.close()


def _open_world(store: Store, options: argparse.Namespace) -> World:
    """Open the world. Command-line options override the values in the state file."""
    anchor, scale = store.fact("clock") or (None, 1.0)
    clock = SimulatedClock(scale, anchor=tuple(anchor) if anchor else None)
    if options.time_scale is not None:
        clock.set_scale(options.time_scale)
    world = World(store, clock, options.seed)
    with world.session():
        world.save_clock()
        if options.start_seconds is not None:
            world.change_settings({"start_seconds": options.start_seconds})
    return world


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="devtools.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="control calls need a loopback client")
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one")
    parser.add_argument(
        "--endpoint-host",
        default="",
        help="host name under which endpoints of instances lead to this simulator",
    )
    parser.add_argument("--state", required=True, help="SQLite file; created if missing")
    parser.add_argument("--api-key-file", help="file with the only accepted key")
    parser.add_argument(
        "--api-key", default="", help="the key itself; visible to others in the process list"
    )
    parser.add_argument("--time-scale", type=float, help="simulated seconds per real second")
    parser.add_argument("--start-seconds", type=float, help="simulated seconds to running")
    parser.add_argument("--seed", type=int, default=0, help="seed of the price drift")
    parser.add_argument(
        "--end-with-parent", action="store_true", help="end when the parent process ends"
    )
    parser.add_argument("--verbose", action="store_true", help="log each request to stderr")
    return parser


if __name__ == "__main__":
    main()
