"""The table of settings: each with its default, its cast and the reason it exists."""

import ipaddress
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

ROOT = Path(__file__).resolve().parent.parent.parent
_POSTGRES_SCHEMES = {"postgres", "postgresql", "postgresql+psycopg"}
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # RFC 1123 §2.1: boto3 takes no other
_ENDPOINT = re.compile(
    rf"https?://(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::\d{{1,5}})?/?", re.ASCII | re.IGNORECASE
)
_REDIS_USER = r"(?:[^\s/?#@]*@)?"  # name:password, with percent signs where need be
_REDIS_HOST = r"(?:[\w.-]{1,253}|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:/\d{0,4})?"
_REDIS = re.compile(
    rf"redis://{_REDIS_USER}{_REDIS_HOST}"
    rf"|rediss://{_REDIS_USER}{_REDIS_HOST}(?:\?ssl_ca_certs=/[^\s?#&]+)?"
    rf"|(?:redis\+)?unix://{_REDIS_USER}/[^\s?#]+(?:\?db=\d{{1,4}})?",
    re.ASCII,
)


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


def utf8(text: str) -> str:
    """Return `text`; raise ValueError when the environment held bytes that are not UTF-8."""
    if any("\ud800" <= character <= "\udfff" for character in text):  # bytes that os.environ could not decode
        raise ValueError("must be UTF-8")
    return text


def _bucket(text: str) -> str:
    """Return what may stand in a host's name (Amazon's rules for buckets): labels, no address of an IPv4 host."""
    label = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
    good = 3 <= len(text) <= 63 and re.fullmatch(rf"{label}(?:\.{label})*", text)  # noqa: PLR2004 - S3's own bounds
    if text and (not good or re.fullmatch(r"[0-9]+(?:\.[0-9]+){3}", text)):
        raise ValueError("must be the name of a bucket: 3 to 63 of a-z, 0-9, - and single dots, and no IP address")
    return text


def _region(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]*", text):
        raise ValueError("must be the name of a region such as eu-central-1")
    return text


def _endpoint(text: str) -> str:
    """Return the address without a slash at its end. The errors do not repeat it, for a password may stand in it."""
    try:
        good = not text or (_ENDPOINT.fullmatch(text) and urlsplit(text).port != 0)
        if re.fullmatch(r"[\d.]+", host := urlsplit(text).hostname or ""):
            ipaddress.ip_address(host)
    except ValueError:  # a port over 65535, numbers or brackets around what is no address
        good = False
    if not good:
        raise ValueError("must be https://HOST[:PORT], or http://, of letters, digits, - and . alone")
    return text.removesuffix("/")


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("must be 0 or 1")
    return text == "1"


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


def _dsn(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^\s/@]+@[^\s/@]+/(?:[^\s?#]+/)?\d+", text):
        raise ValueError("must be a DSN such as https://KEY@HOST/PROJECT")
    return text


def _token(text: str) -> str:
    if text and not re.fullmatch(r"[!-~]{16,}", text):
        raise ValueError("must be at least 16 visible ASCII characters")
    return text


def database_url(text: str) -> str:
    """Return the address of SQLite's file, or of a PostgreSQL database with its driver; it may hold a password.

    The database is named, lest PGDATABASE or the name of a Linux user decide where the tables are made.
    """
    if not text.startswith("postgres"):
        if (text and not re.match(r"sqlite:///.", text)) or ":memory:" in text:
            raise ValueError("must be sqlite:/// and the path of a file, or postgresql://USER:PASSWORD@HOST/DATABASE")
        return text
    try:
        url = make_url(text)
        good = bool(url.database) and re.fullmatch(r"[\w.:-]*", url.host or "")
    except (ArgumentError, ValueError):  # a driver that is none, a port that is no number: perhaps half a password
        good = False
    scheme, _, rest = text.partition("://")
    if not good or scheme not in _POSTGRES_SCHEMES or rest.count("@") > 1:
        raise ValueError("must be postgresql://USER:PASSWORD@HOST/DATABASE, with / as %2F and @ as %40 in the password")
    return f"postgresql+psycopg://{rest}"


def _command(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ValueError(f"must be a command line as a shell reads it: {error}") from None


def _clamd(text: str) -> str | tuple[str, int]:
    """Return the path of a Unix socket, or host and port."""
    if not text or text.startswith("/"):
        return text
    parts = re.fullmatch(r"([\w-]{1,63}(?:\.[\w-]{1,63})*|\[[0-9a-f:.]+\]):(\d{1,5})", text, re.ASCII | re.IGNORECASE)
    if not parts or not 0 < int(parts[2]) < 65536:  # noqa: PLR2004 - a port has 16 bits
        raise ValueError("must be host:port or the path of a Unix socket")
    return parts[1].strip("[]"), int(parts[2])


def _redis(text: str) -> str:
    """Return the address as it is. The errors do not repeat it, for a password may stand in it."""
    try:
        good = not text or (_REDIS.fullmatch(text) and urlsplit(text).port != 0)
    except ValueError:  # a port over 65535, or brackets around what is no address
        good = False
    if not good:
        raise ValueError("must be redis://[:PASSWORD@]HOST[:PORT][/NUMBER], the same with rediss://, or unix:///PATH")
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
    Setting(
        "DATABASE_URL",
        "",
        database_url,
        "where the tables lie: sqlite:///… or postgresql://…; default: app.db in the instance folder",
    ),
    Setting("UPLOADS_DIR", "", _path, "where the files lie; default: uploads in the instance folder"),
    Setting("AWS_BUCKET", "", _bucket, "files lie in this S3 bucket instead; needs the extra `s3`"),
    Setting("AWS_REGION", "", _region, "its region; default: as boto3 finds it"),
    Setting("AWS_ENDPOINT_URL", "", _endpoint, "an S3-compatible store that is not Amazon's, as browsers reach it"),
    Setting("AWS_ACCESS_KEY_ID", "", str, "the store's key; default: as boto3 finds it, such as a role"),
    Setting("AWS_SECRET_ACCESS_KEY", "", str, "and its secret"),
    Setting("AWS_SESSION_TOKEN", "", str, "and the token of temporary ones"),
    Setting("S3_PROXY_DOWNLOADS", "0", _switch, "1: downloads pass through the service, for stores no browser reaches"),
    Setting(
        "JWT_SECRET",
        "",
        str,
        "signs sessions and API tokens; one for all instances; default: made once in the instance folder",
    ),
    Setting("FRONTEND_URL", "", _list(_origin), "origins of clients served elsewhere; empty: no CORS at all"),
    Setting("PUBLIC_URL", "http://127.0.0.1:4000", _origin, "how people reach the service; https makes cookies Secure"),
    Setting("TRUSTED_PROXY", "", _proxy, "the one proxy whose X-Forwarded-* and X-Request-ID are believed"),
    Setting("TRUSTED_HOSTS", "", _list(str.lower), "the Host names to answer to; empty: any"),
    Setting("MAX_FILE_BYTES", str(10 * 1024 * 1024), _whole(1), "a file of exactly this size passes"),
    Setting("MAX_FILES", "20", _whole(1, 1000), "files in one request"),
    Setting("USER_QUOTA_BYTES", "0", _whole(0), "bytes an account may keep, unless `users quota` says else; 0: any"),
    Setting("USER_UPLOADS", "100", _whole(1), "uploads that one account may have open at once"),
    Setting("ADDRESS_CONNECTIONS", "500", _whole(1), "connections of one address; the TRUSTED_PROXY's are not counted"),
    Setting("MIN_FREE_BYTES", str(100 * 1024 * 1024), _whole(0), "disk space that uploads leave free"),
    Setting(
        "SCAN_COMMAND",
        "",
        _command,
        "looks for malware: gets each file's path last, ends with 0 clean, 1 found; else 503",
    ),
    Setting("CLAMD_ADDRESS", "", _clamd, "or a clamd that does: host:port, or the path of its Unix socket"),
    Setting(
        "REDIS_URL",
        "",
        _redis,
        "a Redis or Valkey in which all processes count sign-in tries and open uploads; needs the extra `redis`",
    ),
    Setting(
        "THREADS",
        "4",
        _whole(2, 256),
        "requests answered at once; one is always kept from password checks, one from scans",
    ),
    Setting("WORKERS", "1", _whole(1, 64), "processes on the one socket: when a core is busy and others idle"),
    Setting("DRAIN_SECONDS", "30", _whole(0, 3600), "time for running uploads to finish when the service is stopped"),
    Setting("VERIFY_HOURS", "24", _whole(0, 8760), "hours between checks of every stored byte by `serve`; 0: none"),
    Setting("ADMIN_EMAIL", "admin@localhost", _email, "the account that the first start makes"),
    Setting("ADMIN_PASSWORD", "", str, "its password; default: random, printed once"),
    Setting("BCRYPT_ROUNDS", "12", _whole(4, 16), "the cost of a password check: 12 is a fifth of a second"),
    Setting("METRICS_TOKEN", "", _token, "the Bearer token that `/metrics` asks for; empty: only this machine gets it"),
    Setting("LOG_LEVEL", "INFO", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), "the least important line to log"),
    Setting("LOG_FORMAT", "json", _one_of("json", "text"), "json for machines, text for people"),
    Setting("SENTRY_DSN", "", _dsn, "where faults are sent, without what users sent; needs the extra `sentry`"),
)
