"""The configuration: every setting from the environment, checked, and what Flask needs to be told of it."""

import os
import secrets
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from ..storage import BucketSettings
from .casts import database_url, utf8
from .settings import ROOT, SETTINGS

__all__ = [
    "ROOT",
    "SETTINGS",
    "ConfigError",
    "bucket",
    "check",
    "check_driver",
    "database_url",
    "flask_settings",
    "load",
    "own_secret",
    "security_headers",
    "worker_environment",
]

_MIN_SECRET_BYTES = 32  # RFC 7518 §3.2: an HS256 key is at least as long as its output
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library's own: it is read before any setting of ours
_SECRET_FILE = "jwt_secret"  # noqa: S105 - a name
_SAMPLE_SECRETS = {"your-secret-key", "change-me"}
_EXTRAS = (  # what a setting takes: an extra, its module, and what to install
    ("AWS_BUCKET", "s3", "boto3", "boto3>=1.44,<2"),
    ("REDIS_URL", "redis", "redis", "redis>=6,<8"),
    ("SENTRY_DSN", "sentry", "sentry_sdk", "sentry-sdk>=2,<3"),
)


class ConfigError(SystemExit):
    """Stops the start with one line that names the variable."""


def load(overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return every setting by name, from `overrides`, else the environment, else the default.

    Texts are cast, other values of `overrides` taken as they are. Raises ConfigError for a bad value.
    """
    given: dict[str, Any] = dict(overrides or {})
    config = dict(given)
    for setting in SETTINGS:
        value = given.get(setting.name, os.environ.get(setting.name, ""))
        value = setting.default if value == "" else value
        try:
            config[setting.name] = setting.cast(utf8(value)) if isinstance(value, str) else value
        except ValueError as error:
            _stop(setting.name, str(error))
    instance: Path = config["INSTANCE_PATH"]
    config["PUBLIC_URL"] = config["PUBLIC_URL"] or f"http://127.0.0.1:{config['PORT']}"
    config["UPLOADS_DIR"] = config["UPLOADS_DIR"] or instance / "uploads"
    config["DATABASE_URL"] = config["DATABASE_URL"] or f"sqlite:///{instance / 'app.db'}"
    config["METRICS_FOLDER"] = os.environ.get(_METRICS_FOLDER, "")
    try:
        instance.mkdir(mode=0o700, parents=True, exist_ok=True)
        config["UPLOADS_DIR"].mkdir(mode=0o700, parents=True, exist_ok=True)
        (config["UPLOADS_DIR"] / ".staging").mkdir(mode=0o700, exist_ok=True)
        config["SECRET_IS_OWN"] = not config["JWT_SECRET"]  # what is set is meant, also where it is the same
        config["JWT_SECRET"] = config["JWT_SECRET"] or own_secret(instance / _SECRET_FILE)
    except OSError as error:
        _stop("INSTANCE_PATH", f"or UPLOADS_DIR cannot be written: {error.strerror} ({error.filename})")
    check(config)
    return config


def check(config: Mapping[str, Any]) -> None:
    """Raise ConfigError when single values are fine but not together."""
    secret = config["JWT_SECRET"]
    if len(secret.encode()) < _MIN_SECRET_BYTES or secret in _SAMPLE_SECRETS or len(set(secret)) == 1:
        _stop("JWT_SECRET", f"must be at least {_MIN_SECRET_BYTES} random bytes; leave it empty to have one made")
    _check_paths(config)
    _check_extras(config)
    if bool(config["AWS_ACCESS_KEY_ID"]) != bool(config["AWS_SECRET_ACCESS_KEY"]):
        _stop("AWS_ACCESS_KEY_ID", "and AWS_SECRET_ACCESS_KEY are set together, or neither is")
    if config["SCAN_COMMAND"] and config["CLAMD_ADDRESS"]:
        _stop("SCAN_COMMAND", "and CLAMD_ADDRESS are both set: choose one of the scanners")


def _check_paths(config: Mapping[str, Any]) -> None:
    paths = {name: config[name] for name in ("UPLOADS_DIR", "INSTANCE_PATH")}
    if config["DATABASE_URL"].startswith("sqlite:"):
        paths["DATABASE_URL"] = Path(config["DATABASE_URL"].removeprefix("sqlite:///")).resolve()
    for name, path in paths.items():
        if path.is_relative_to(ROOT / "web"):
            _stop(name, "must not lie in the folder that is served to everyone")
    if "DATABASE_URL" in paths and not paths["DATABASE_URL"].parent.is_dir():
        _stop("DATABASE_URL", f"names a folder that does not exist: {paths['DATABASE_URL'].parent}")


def _check_extras(config: Mapping[str, Any]) -> None:
    for name, extra, module, requirement in _EXTRAS:
        if config[name] and find_spec(module) is None:
            _stop(name, f"needs the extra `{extra}`: .venv/bin/pip install '{requirement}'")
    if config["DATABASE_URL"].startswith("postgresql"):
        check_driver("DATABASE_URL")


def check_driver(name: str) -> None:
    """Raise ConfigError for the setting `name` where what speaks to PostgreSQL is not installed."""
    try:
        import psycopg  # noqa: F401, PLC0415 - an extra, which is there without libpq, too
    except ImportError:
        _stop(name, "needs the extra `postgres`: .venv/bin/pip install 'psycopg[binary]>=3.2,<4'")


def bucket(config: Mapping[str, Any]) -> BucketSettings | None:
    """Return the bucket where files lie, or None where they lie in a folder."""
    if not config["AWS_BUCKET"]:
        return None
    return BucketSettings(
        name=config["AWS_BUCKET"],
        region=config["AWS_REGION"],
        endpoint=config["AWS_ENDPOINT_URL"],
        key=config["AWS_ACCESS_KEY_ID"],
        secret=config["AWS_SECRET_ACCESS_KEY"],
        session_token=config["AWS_SESSION_TOKEN"],
        places=config["THREADS"] - 1,  # one thread is always kept from a store that hangs
        proxied=config["S3_PROXY_DOWNLOADS"],
    )


def worker_environment(metrics_folder: Path) -> dict[str, str]:
    """Return the environment of a worker: ours, and the folder where all workers keep their figures."""
    return os.environ | {_METRICS_FOLDER: str(metrics_folder)}


def flask_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Flask and its extensions need to be told, derived from our settings."""
    secure = config["PUBLIC_URL"].startswith("https://")
    return {
        "MAX_CONTENT_LENGTH": 16 * 1024,  # of JSON; the upload view raises it for itself
        "TRUSTED_HOSTS": config["TRUSTED_HOSTS"] or None,
        "SQLALCHEMY_DATABASE_URI": config["DATABASE_URL"],
        "SQLALCHEMY_ENGINE_OPTIONS": {
            "pool_size": config["THREADS"],
            "max_overflow": config["THREADS"] + 4,
            "pool_use_lifo": True,  # what the connection used last knows of SQLite's pages is still true
            "hide_parameters": True,
        },
        "JWT_SECRET_KEY": config["JWT_SECRET"],
        "JWT_ALGORITHM": "HS256",
        "JWT_DECODE_ALGORITHMS": ["HS256"],
        "JWT_ENCODE_ISSUER": "uploadsvc",
        "JWT_DECODE_ISSUER": "uploadsvc",
        "JWT_TOKEN_LOCATION": ["headers", "cookies"],
        "JWT_ACCESS_COOKIE_NAME": "token",
        "JWT_REFRESH_COOKIE_NAME": "refresh_token",
        "JWT_REFRESH_COOKIE_PATH": "/api/auth",
        "JWT_CSRF_IN_COOKIES": False,  # the library would make two; auth/cookies.py sets the one
        "JWT_COOKIE_SECURE": secure,
        "JWT_COOKIE_SAMESITE": "Lax",
    }


def security_headers(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that every answer bears (ASVS 5.0 §3.4)."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if config["PUBLIC_URL"].startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


def own_secret(path: Path) -> str:
    """Return what is the instance's alone, made at the first start; of two starts at once one makes it."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_text(secrets.token_urlsafe(48), encoding="ascii")
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()


def _stop(name: str, reason: str) -> NoReturn:
    raise ConfigError(f"{name} {reason}.")
