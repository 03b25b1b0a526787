"""From the text of an environment variable to what the service works with; a ValueError says what it must be."""

import ipaddress
import re
import shlex
import unicodedata
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from ..filetypes import readable

_POSTGRES_SCHEMES = {"postgres", "postgresql", "postgresql+psycopg"}
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_TITLE_CHARS = 60  # what the header of a page has room for
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


def whole(minimum: int, maximum: int = 2**62) -> Callable[[str], int]:
    """Return the cast to a whole number within bounds."""

    def cast(text: str) -> int:
        if not re.fullmatch(r"\d{1,19}", text) or not minimum <= int(text) <= maximum:
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return int(text)

    return cast


def one_of(*choices: str) -> Callable[[str], str]:
    """Return the cast to one of a few words."""

    def cast(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return cast


def origin(text: str) -> str:
    """Return an origin as a browser writes it (RFC 6454 §6.2), '' where none is given."""
    if not text:
        return ""
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", text, re.IGNORECASE):
        raise ValueError(f"must be an exact origin such as https://files.example.org, not {text!r}")
    scheme, _, host = text.lower().partition("://")
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS[scheme])}"


def utf8(text: str) -> str:
    """Return `text`; raise ValueError when the environment held bytes that are not UTF-8."""
    if any("\ud800" <= character <= "\udfff" for character in text):  # bytes that os.environ could not decode
        raise ValueError("must be UTF-8")
    return text


def title(text: str) -> str:
    """Return a name for people, in NFC and without the spaces around it."""
    name = unicodedata.normalize("NFC", text.strip())
    if not 1 <= len(name) <= _TITLE_CHARS or readable(name) != name:
        raise ValueError(f"must be 1 to {_TITLE_CHARS} characters, none of them a control or bidi character")
    return name


def bucket(text: str) -> str:
    """Return what may stand in a host's name (Amazon's rules for buckets): labels, no address of an IPv4 host."""
    label = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
    good = 3 <= len(text) <= 63 and re.fullmatch(rf"{label}(?:\.{label})*", text)  # noqa: PLR2004 - S3's own bounds
    if text and (not good or re.fullmatch(r"[0-9]+(?:\.[0-9]+){3}", text)):
        raise ValueError("must be the name of a bucket: 3 to 63 of a-z, 0-9, - and single dots, and no IP address")
    return text


def region(text: str) -> str:
    """Return the name of a region."""
    if not re.fullmatch(r"[a-z0-9-]*", text):
        raise ValueError("must be the name of a region such as eu-central-1")
    return text


def endpoint(text: str) -> str:
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


def switch(text: str) -> bool:
    """Return what 0 or 1 says."""
    if text not in ("0", "1"):
        raise ValueError("must be 0 or 1")
    return text == "1"


def list_of(cast: Callable[[str], str]) -> Callable[[str], list[str]]:
    """Return the cast to a list of what stands between commas."""
    return lambda text: [cast(item.strip()) for item in text.split(",") if item.strip()]


def path(text: str) -> Path | None:
    """Return an absolute path, or None for none."""
    return Path(text).resolve() if text else None


def proxy(text: str) -> str:
    """Return one IP address."""
    if text:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise ValueError("must be the one IP address of your reverse proxy") from None
    return text


def email(text: str) -> str:
    """Return an e-mail address."""
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError("must be an e-mail address")
    return text


def dsn(text: str) -> str:
    """Return the address of a Sentry project."""
    if text and not re.fullmatch(r"https?://[^\s/@]+@[^\s/@]+/(?:[^\s?#]+/)?\d+", text):
        raise ValueError("must be a DSN such as https://KEY@HOST/PROJECT")
    return text


def token(text: str) -> str:
    """Return a secret that nobody guesses."""
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


def command(text: str) -> list[str]:
    """Return a command's words, as a shell reads them."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ValueError(f"must be a command line as a shell reads it: {error}") from None


def clamd(text: str) -> str | tuple[str, int]:
    """Return the path of a Unix socket, or host and port."""
    if not text or text.startswith("/"):
        return text
    parts = re.fullmatch(r"([\w-]{1,63}(?:\.[\w-]{1,63})*|\[[0-9a-f:.]+\]):(\d{1,5})", text, re.ASCII | re.IGNORECASE)
    if not parts or not 0 < int(parts[2]) < 65536:  # noqa: PLR2004 - a port has 16 bits
        raise ValueError("must be host:port or the path of a Unix socket")
    return parts[1].strip("[]"), int(parts[2])


def redis(text: str) -> str:
    """Return the address as it is. The errors do not repeat it, for a password may stand in it."""
    try:
        good = not text or (_REDIS.fullmatch(text) and urlsplit(text).port != 0)
    except ValueError:  # a port over 65535, or brackets around what is no address
        good = False
    if not good:
        raise ValueError("must be redis://[:PASSWORD@]HOST[:PORT][/NUMBER], the same with rediss://, or unix:///PATH")
    return text
