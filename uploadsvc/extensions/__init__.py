"""The Flask extensions, unbound: the database, migrations, tokens, CORS, JSON."""

from pathlib import Path

from flask import Flask, Response, request
from flask_cors import CORS
from flask_migrate import Migrate
from sqlalchemy import make_url

from . import postgres, sqlite
from .database import connection, db, release_connection
from .plain import Prepared, plain
from .strict_json import StrictJSON
from .tokens import BoundedTokens

__all__ = [
    "Prepared",
    "StrictJSON",
    "connection",
    "cors",
    "db",
    "init_app",
    "jwt",
    "migrate",
    "plain",
    "release_connection",
]

migrate = Migrate(render_as_batch=True)
jwt = BoundedTokens()
cors = CORS()


def init_app(app: Flask) -> None:
    """Bind the extensions; CORS only where origins are named, for flask-cors would allow any otherwise."""
    app.json = StrictJSON(app)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] |= postgres.options(make_url(app.config["SQLALCHEMY_DATABASE_URI"]))
    db.init_app(app)
    with app.app_context():
        app.extensions["write_gate"] = sqlite.guard(db.engine, app.config["THREADS"])
        postgres.guard(db.engine)
    app.teardown_appcontext(release_connection)
    migrate.init_app(app, db, directory=str(Path(app.root_path).parent / "migrations"))
    jwt.init_app(app)
    if app.config["FRONTEND_URL"]:
        cors.init_app(
            app,
            resources=r"/api/.*",
            origins=app.config["FRONTEND_URL"],
            supports_credentials=True,
            always_send=False,
            vary_header=False,  # it adds the header only where it allows an origin
            allow_headers=["Authorization", "X-CSRF-Token", "Idempotency-Key", "Content-Type"],
            expose_headers=["X-Request-ID", "Retry-After", "Content-Disposition"],
            max_age=600,
        )
        app.after_request(_vary_by_origin)


def _vary_by_origin(response: Response) -> Response:
    """Keep a cache from giving one origin's answer to another, refusals and preflights too (Fetch §CORS protocol)."""
    if request.path.startswith("/api/"):
        response.vary.add("Origin")
    return response
