"""The table of settings: each with its default, its cast and the reason it exists."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .casts import (
    bucket,
    clamd,
    command,
    database_url,
    dsn,
    email,
    endpoint,
    list_of,
    one_of,
    origin,
    path,
    proxy,
    redis,
    region,
    switch,
    title,
    token,
    whole,
)

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Setting:
    """One environment variable: `default` is text like the variable's own, `reason` says why it is a setting."""

    name: str
    default: str
    cast: Callable[[str], Any]
    reason: str


SETTINGS = (
    Setting("HOST", "127.0.0.1", str, "the address to listen on; open it up only behind a firewall or a proxy"),
    Setting("PORT", "4000", whole(0, 65535), "the port to listen on"),
    Setting("INSTANCE_PATH", str(ROOT / "instance"), path, "everything the service writes lies below it"),
    Setting(
        "DATABASE_URL",
        "",
        database_url,
        "where the tables lie: sqlite:///… or postgresql://…; default: app.db in the instance folder",
    ),
    Setting("UPLOADS_DIR", "", path, "where the files lie; default: uploads in the instance folder"),
    Setting("AWS_BUCKET", "", bucket, "files lie in this S3 bucket instead; needs the extra `s3`"),
    Setting("AWS_REGION", "", region, "its region; default: as boto3 finds it"),
    Setting("AWS_ENDPOINT_URL", "", endpoint, "an S3-compatible store that is not Amazon's, as browsers reach it"),
    Setting("AWS_ACCESS_KEY_ID", "", str, "the store's key; default: as boto3 finds it, such as a role"),
    Setting("AWS_SECRET_ACCESS_KEY", "", str, "and its secret"),
    Setting("AWS_SESSION_TOKEN", "", str, "and the token of temporary ones"),
    Setting("S3_PROXY_DOWNLOADS", "0", switch, "1: downloads pass through the service, for stores no browser reaches"),
    Setting(
        "JWT_SECRET",
        "",
        str,
        "signs sessions, API tokens, file requests; one for all instances; default: made once in the instance folder",
    ),
    Setting("FRONTEND_URL", "", list_of(origin), "origins of clients served elsewhere; empty: no CORS at all"),
    Setting(
        "PUBLIC_URL",
        "",
        origin,
        "how people reach the service, and file requests' links begin; https makes cookies Secure; "
        "default: http://127.0.0.1:PORT",
    ),
    Setting("INSTANCE_NAME", "Documents", title, "what the page calls itself in its header and title; 60 characters"),
    Setting("TRUSTED_PROXY", "", proxy, "the one proxy whose X-Forwarded-* and X-Request-ID are believed"),
    Setting("TRUSTED_HOSTS", "", list_of(str.lower), "the Host names to answer to; empty: any"),
    Setting("MAX_FILE_BYTES", str(10 * 1024 * 1024), whole(1), "a file of exactly this size passes"),
    Setting("MAX_FILES", "20", whole(1, 1000), "files in one request"),
    Setting("USER_QUOTA_BYTES", "0", whole(0), "bytes an account may keep, unless `users quota` says else; 0: any"),
    Setting("USER_UPLOADS", "100", whole(1), "uploads that one account, or one file request, may have open at once"),
    Setting("ADDRESS_CONNECTIONS", "500", whole(1), "connections of one address; the TRUSTED_PROXY's are not counted"),
    Setting("MIN_FREE_BYTES", str(100 * 1024 * 1024), whole(0), "disk space that uploads leave free"),
    Setting(
        "SCAN_COMMAND",
        "",
        command,
        "looks for malware: gets each file's path last, ends with 0 clean, 1 found; else 503",
    ),
    Setting("CLAMD_ADDRESS", "", clamd, "or a clamd that does: host:port, or the path of its Unix socket"),
    Setting(
        "REDIS_URL",
        "",
        redis,
        "a Redis or Valkey in which all processes count tries, visits and open uploads; needs the extra `redis`",
    ),
    Setting(
        "THREADS",
        "4",
        whole(2, 256),
        "requests answered at once; one is always kept from password checks, one from scans",
    ),
    Setting("WORKERS", "1", whole(1, 64), "processes on the one socket: when a core is busy and others idle"),
    Setting("DRAIN_SECONDS", "30", whole(0, 3600), "time for running uploads to finish when the service is stopped"),
    Setting("VERIFY_HOURS", "24", whole(0, 8760), "hours between checks of every stored byte by `serve`; 0: none"),
    Setting("ADMIN_EMAIL", "admin@localhost", email, "the account that the first start makes"),
    Setting("ADMIN_PASSWORD", "", str, "its password; default: random, printed once"),
    Setting("BCRYPT_ROUNDS", "12", whole(4, 16), "the cost of a password check: 12 is a fifth of a second"),
    Setting("METRICS_TOKEN", "", token, "the Bearer token that `/metrics` asks for; empty: only this machine gets it"),
    Setting("LOG_LEVEL", "INFO", one_of("DEBUG", "INFO", "WARNING", "ERROR"), "the least important line to log"),
    Setting("LOG_FORMAT", "json", one_of("json", "text"), "json for machines, text for people"),
    Setting("SENTRY_DSN", "", dsn, "where faults are sent, without what users sent; needs the extra `sentry`"),
)
