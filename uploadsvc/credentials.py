"""Passwords and token ids: which may be, how they are kept, how one is checked (OWASP, NIST SP 800-63B)."""

import hashlib
import hmac
import re
import secrets
from functools import cache
from pathlib import Path

import bcrypt

from .errors import BadRequest

MIN_CHARS = 8
TOKEN_PREFIX = "ups_"  # noqa: S105 - so that secret scanners know one
MAX_BYTES = 72  # all that bcrypt reads; version 5 refuses more


def hashed(password: str, rounds: int) -> str:
    """Return the bcrypt hash of `password`, which is at most 72 bytes, at cost `rounds`."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds)).decode()


def cost(stored: str) -> int:
    """Return the rounds that a stored hash was made with."""
    return int(stored.split("$")[2])


def is_right(stored: str | None, password: str, rounds: int) -> bool:
    """Tell whether `password` belongs to the hash; every no takes as long as one check at cost `rounds`.

    Without a hash a hash of nobody's is checked. After a wrong password against a cheaper hash, nobody's hashes make
    up the difference: one check at each cost from the hash's own up to the one below `rounds`, because
    2^c + (2^c + 2^(c+1) + … + 2^(r-1)) = 2^r. A hash costlier than `rounds` takes its own, longer time.
    """
    secret = password.encode()
    start = secret[:MAX_BYTES]
    matches = bcrypt.checkpw(start, (stored or _nobodys(rounds)).encode())
    if matches and stored is not None and len(secret) <= MAX_BYTES:
        return True
    for step in range(cost(stored) if stored else rounds, rounds):
        bcrypt.checkpw(start, _nobodys(step).encode())
    return False


def check_new(password: str, email: str) -> None:
    """Raise BadRequest unless `password` may be set: long enough, short enough, not among the first guesses."""
    if len(password) < MIN_CHARS or len(password.encode()) > MAX_BYTES:
        raise BadRequest(f"A password has at least {MIN_CHARS} characters and at most {MAX_BYTES} bytes in UTF-8.")
    if password.lower() in _common() or password.lower() == email:
        raise BadRequest("This password is among the first that are guessed. Choose another.")


def new_id() -> str:
    """Return 128 random bits in hex, for everything that must not be guessed."""
    return secrets.token_hex(16)


def is_id(text: str) -> bool:
    """Tell whether `text` looks as what `new_id` returns; PostgreSQL refuses to look for some that do not."""
    return bool(re.fullmatch("[0-9a-f]{32}", text))


def digest(token: str) -> str:
    """Return what the database keeps of a token: its SHA-256 in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def derive(secret: str, *parts: str) -> str:
    """Return 128 bits in hex that only the holder of `secret` can compute from `parts`."""
    return hmac.new(secret.encode(), ":".join(parts).encode(), hashlib.sha256).hexdigest()[:32]


def fingerprint(secret: str) -> str:
    """Return what tells one `secret` from another, and nothing of it."""
    return derive(secret, "fingerprint")


def new_api_token(secret: str, user_id: int) -> str:
    """Return a new API token of the user: its prefix, the user's id, 128 random bits and a tag that proves both.

    The tag lets a server refuse what is none of its tokens before it asks the database or reads a body.
    """
    body = f"{user_id:016x}{new_id()}"
    return f"{TOKEN_PREFIX}{body}{_tag(secret, body)}"


def token_owner(secret: str, token: str) -> int | None:
    """Return the id of the user that an API token was made for, None when it is none of ours; it may be revoked."""
    match = re.fullmatch(rf"{TOKEN_PREFIX}([0-9a-f]{{48}})([0-9a-f]{{16}})", token)
    if not match or not hmac.compare_digest(_tag(secret, match[1]), match[2]):
        return None
    return int(match[1][:16], 16)


def _tag(secret: str, body: str) -> str:
    return derive(secret, "api token", body)[:16]


def request_bearer(secret: str, request_id: str) -> str:
    """Return what a visitor of a file request bears: its id, a dot and 128 bits that only we can derive from it.

    So the owner can be shown the link again, and a copy of the database holds none.
    """
    return f"{request_id}.{derive(secret, 'file request', request_id)}"


def requested_by(secret: str, bearer: str) -> str | None:
    """Return the id of the file request that `bearer` was derived from, None when it is none of ours."""
    request_id = bearer.partition(".")[0]
    if not is_id(request_id):
        return None
    return request_id if hmac.compare_digest(request_bearer(secret, request_id).encode(), bearer.encode()) else None


def resembles_bearer(text: str) -> bool:
    """Tell whether `text` may have been meant as what a visitor bears: cut short, or with a character changed."""
    return bool(_LIKE_A_BEARER.fullmatch(text))


def holds_bearer(text: str) -> bool:
    """Tell whether what a visitor bears stands somewhere in `text`."""
    return bool(_BEARER.search(text))


_BEARER = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}\.[0-9a-f]{32}(?![0-9a-f])")
# One dot, where a JWT has two and begins otherwise; or the length without a dot where it belongs.
_LIKE_A_BEARER = re.compile(r"(?!eyJ)[^.]*\.[^.]*|(?!eyJ).{65}")


def seal(secret: str, purpose: str, data: bytes) -> str:
    """Return `data` in hex that only the holder of `secret` can read, or make, for this `purpose`.

    As in RFC 5297 the tag that proves the data is also what hides them, so that equal ones look the same.
    """
    tag = derive(secret, purpose, data.hex())[:16]
    return tag + _masked(secret, purpose, tag, data).hex()


def unseal(secret: str, purpose: str, sealed: str) -> bytes | None:
    """Return the data that `seal` hid for this `purpose`; None when `sealed` is anything else."""
    if not re.fullmatch(r"[0-9a-f]{16}(?:[0-9a-f]{2})+", sealed):
        return None
    data = _masked(secret, purpose, sealed[:16], bytes.fromhex(sealed[16:]))
    return data if hmac.compare_digest(seal(secret, purpose, data), sealed) else None


def _masked(secret: str, purpose: str, tag: str, data: bytes) -> bytes:
    """Return `data` hidden, or read again, by what only the holder of `secret` can compute from `tag`."""
    key = derive(secret, f"{purpose} mask", tag).encode()
    mask = hashlib.shake_256(key).digest(len(data))
    return bytes(byte ^ other for byte, other in zip(data, mask, strict=True))


def _nobodys(rounds: int) -> str:
    """Return what looks like a hash and is none: a salt and a digest of zeros, which no password can be found for."""
    return f"$2b${rounds:02}${'.' * 53}"


@cache
def _common() -> frozenset[str]:
    """Return the list, read at the first new password; its lines that begin with "# " name source and licence."""
    lines = Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("# "))
