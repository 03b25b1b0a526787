"""A self-hosted service that collects PDF, DOCX and TXT files for a small team."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request

from . import (
    auth,
    cli,
    client,
    config,
    documents,
    errors,
    extensions,
    guard,
    health,
    metrics,
    models,
    openapi,
    principal,
    requests,
    telemetry,
    tokens,
    uploads,
)
from .scanner import scanner_for
from .storage import storage_for
from .throttle import store_for

__all__ = ["create_app", "models"]


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """Build the application from the environment; `overrides` replace variables by name. Raises ConfigError."""
    settings = config.load(overrides)
    app = Flask(__name__, instance_path=str(settings["INSTANCE_PATH"]), static_folder=None)
    app.config.from_mapping(settings)
    app.config.from_mapping(config.flask_settings(settings))
    places = settings["THREADS"] - 1  # one thread is always kept from scans, and another one from archives
    app.extensions["storage"] = storage_for(
        settings["UPLOADS_DIR"], settings["MIN_FREE_BYTES"], config.bucket(settings), places
    )
    app.extensions["scanner"] = scanner_for(settings["SCAN_COMMAND"], settings["CLAMD_ADDRESS"], places)
    app.extensions["throttle_store"] = store_for(settings["REDIS_URL"])
    guard.prepare(app)
    telemetry.init_app(app)
    extensions.init_app(app)
    errors.init_app(app)
    guard.init_app(app)
    principal.init_app(app)
    auth.init_app(app)
    uploads.init_app(app)
    app.register_blueprint(documents.bp)
    app.register_blueprint(tokens.bp)
    app.register_blueprint(requests.bp)
    app.register_blueprint(openapi.bp)
    health.init_app(app)
    metrics.init_app(app)
    app.register_blueprint(cli.bp)
    client.init_app(app, config.ROOT / "web")
    _set_headers(app, config.security_headers(settings))
    return app


def _set_headers(app: Flask, headers: Mapping[str, str]) -> None:
    @app.after_request
    def add(response: Response) -> Response:
        kept = response.status_code < 400 and not request.path.startswith("/api")  # noqa: PLR2004 - refusals begin here
        given = {name.lower() for name, _ in response.headers}
        for name, value in headers.items():
            if name.lower() not in given:
                response.headers.add(name, value)
        if "cache-control" not in given:
            response.headers.add("Cache-Control", "no-cache" if kept else "no-store")
        return response
