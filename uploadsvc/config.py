"""Every setting, from the environment: one table with its default, its cast and the reason it exists."""

import ipaddress
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
_MIN_SECRET_BYTES = 32  # RFC 7518 §3.2: an HS256 key is at least as long as its output
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_SAMPLE_SECRETS = {"your-secret-key", "change-me"}


class ConfigError(SystemExit):
    """Stops the start with one line that names the variable."""


def _whole(minimum: int, maximum: int = 2**62) -> Callable[[str], int]:
    def cast(text: str) -> int:
        if not re.fullmatch(r"\d{1,19}", text) or not minimum <= int(text) <= maximum:
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return int(text)

    return cast


def _one_of(*choices: str) -> Callable[[str], str]:
    def cast(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return cast


def _origin(text: str) -> str:
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", text, re.IGNORECASE):
        raise ValueError(f"must be an exact origin such as https://files.example.org, not {text!r}")
    scheme, _, host = text.lower().partition("://")
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS[scheme])}"  # as a browser writes it (RFC 6454 §6.2)


def _utf8(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):  # bytes that os.environ could not decode
        raise ValueError("must be UTF-8")
    return text


def _list(cast: Callable[[str], str]) -> Callable[[str], list[str]]:
    return lambda text: [cast(item.strip()) for item in text.split(",") if item.strip()]


def _path(text: str) -> Path | None:
    return Path(text).resolve() if text else None


def _proxy(text: str) -> str:
    if text:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise ValueError("must be the one IP address of your reverse proxy") from None
    return text


def _email(text: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError("must be an e-mail address")
    return text


def _sqlite(text: str) -> str:
    if (text and not re.match(r"sqlite:///.", text)) or ":memory:" in text:
        raise ValueError("must be sqlite:/// and the path of a file")
    return text


@dataclass(frozen=True)
class Setting:
    """One environment variable: `default` is text like the variable's own, `reason` says why it is a setting."""

    name: str
    default: str
    cast: Callable[[str], Any]
    reason: str


SETTINGS = (
    Setting("HOST", "127.0.0.1", str, "the address to listen on; open it up only behind a firewall or a proxy"),
    Setting("PORT", "4000", _whole(0, 65535), "the port to listen on"),
    Setting("INSTANCE_PATH", str(ROOT / "instance"), _path, "everything the service writes lies below it"),
    Setting("DATABASE_URL", "", _sqlite, "where the tables lie; default: app.db in the instance folder"),
    Setting("UPLOADS_DIR", "", _path, "where the files lie; default: uploads in the instance folder"),
    Setting("JWT_SECRET", "", str, "signs the sessions; default: made once in the instance folder"),
    Setting("FRONTEND_URL", "", _list(_origin), "origins of clients served elsewhere; empty: no CORS at all"),
    Setting("PUBLIC_URL", "http://127.0.0.1:4000", _origin, "how people reach the service; https makes cookies Secure"),
    Setting("TRUSTED_PROXY", "", _proxy, "the one proxy whose X-Forwarded-* and X-Request-ID are believed"),
    Setting("TRUSTED_HOSTS", "", _list(str.lower), "the Host names to answer to; empty: any"),
    Setting("MAX_FILE_BYTES", str(10 * 1024 * 1024), _whole(1), "a file of exactly this size passes"),
    Setting("MAX_FILES", "20", _whole(1, 1000), "files in one request"),
    Setting("USER_UPLOADS", "100", _whole(1), "uploads that one account may have open at once"),
    Setting("ADDRESS_CONNECTIONS", "500", _whole(1), "connections of one address; the TRUSTED_PROXY's are not counted"),
    Setting("MIN_FREE_BYTES", str(100 * 1024 * 1024), _whole(0), "disk space that uploads leave free"),
    Setting("THREADS", "4", _whole(2, 256), "requests answered at once; one is always kept from password checks"),
    Setting("WORKERS", "1", _whole(1, 64), "processes on the one socket: when a core is busy and others idle"),
    Setting("DRAIN_SECONDS", "30", _whole(0, 3600), "time for running uploads to finish when the service is stopped"),
    Setting("ADMIN_EMAIL", "admin@localhost", _email, "the account that the first start makes"),
    Setting("ADMIN_PASSWORD", "", str, "its password; default: random, printed once"),
    Setting("BCRYPT_ROUNDS", "12", _whole(4, 16), "the cost of a password check: 12 is a fifth of a second"),
    Setting("LOG_LEVEL", "INFO", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), "the least important line to log"),
    Setting("LOG_FORMAT", "json", _one_of("json", "text"), "json for machines, text for people"),
)


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
            config[setting.name] = setting.cast(_utf8(value)) if isinstance(value, str) else value
        except ValueError as error:
            _stop(setting.name, str(error))
    instance: Path = config["INSTANCE_PATH"]
    config["UPLOADS_DIR"] = config["UPLOADS_DIR"] or instance / "uploads"
    config["DATABASE_URL"] = config["DATABASE_URL"] or f"sqlite:///{instance / 'app.db'}"
    try:
        instance.mkdir(mode=0o700, parents=True, exist_ok=True)
        config["UPLOADS_DIR"].mkdir(mode=0o700, parents=True, exist_ok=True)
        (config["UPLOADS_DIR"] / ".staging").mkdir(mode=0o700, exist_ok=True)
        config["JWT_SECRET"] = config["JWT_SECRET"] or _own_secret(instance / "jwt_secret")
    except OSError as error:
        _stop("INSTANCE_PATH", f"or UPLOADS_DIR cannot be written: {error.strerror} ({error.filename})")
    check(config)
    return config


def check(config: Mapping[str, Any]) -> None:
    """Raise ConfigError when single values are fine but not together."""
    secret = config["JWT_SECRET"]
    if len(secret.encode()) < _MIN_SECRET_BYTES or secret in _SAMPLE_SECRETS or len(set(secret)) == 1:
        _stop("JWT_SECRET", f"must be at least {_MIN_SECRET_BYTES} random bytes; leave it empty to have one made")
    database = Path(config["DATABASE_URL"].removeprefix("sqlite:///")).resolve()
    for name, path in (*((n, config[n]) for n in ("UPLOADS_DIR", "INSTANCE_PATH")), ("DATABASE_URL", database)):
        if path.is_relative_to(ROOT / "web"):
            _stop(name, "must not lie in the folder that is served to everyone")
    if not database.parent.is_dir():
        _stop("DATABASE_URL", f"names a folder that does not exist: {database.parent}")


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
        "JWT_CSRF_IN_COOKIES": False,  # the library would make two; auth.py sets the one
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


def _own_secret(path: Path) -> str:
    """Return the instance's secret, made at the first start; of two starts at once one makes it."""
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
