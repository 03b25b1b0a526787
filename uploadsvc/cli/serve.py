"""`serve`: the server, and beside it what is done on a schedule."""

import logging
import socket
import threading

import click
from flask import Config, Flask, current_app
from flask.cli import with_appcontext

from .. import server, workers
from .instance import set_up
from .schedule import keep_house

log = logging.getLogger("uploadsvc.cli")


@click.command("serve")
@click.option("--inherited-socket", type=int, hidden=True, help="For workers: the descriptor to listen on.")
@click.option("--supervisor", type=int, hidden=True, help="For workers: the process to stop with.")
@with_appcontext
def serve(inherited_socket: int | None, supervisor: int | None) -> None:
    """Set the database up and serve; sweep leftovers hourly, verify every VERIFY_HOURS."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    if inherited_socket is not None:
        server.run(app, socket.socket(fileno=inherited_socket), supervisor)
        return
    set_up(first_account=True)
    listener = server.listen(app.config["HOST"], app.config["PORT"])
    threading.Thread(target=keep_house, args=(app,), daemon=True, name="sweeper").start()
    host, port = listener.getsockname()[:2]
    click.echo(f"Serving on http://{host}:{port}")
    _warn_of_counting_apart(app.config)
    if app.config["WORKERS"] == 1:
        server.run(app, listener)
        return
    folder = app.config["INSTANCE_PATH"] / "metrics"
    workers.supervise(listener, app.config["WORKERS"], app.config["DRAIN_SECONDS"], folder)


def _warn_of_counting_apart(config: Config) -> None:
    """Tell it where several processes may run, as workers or as instances on one database server, and share nothing."""
    several = config["WORKERS"] > 1 or not config["DATABASE_URL"].startswith("sqlite:")
    if several and not config["REDIS_URL"]:
        log.warning(
            "every process counts sign-in tries and open uploads for itself, which multiplies the limits: set REDIS_URL"
        )
