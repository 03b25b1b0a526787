"""What any token must be before PyJWT looks at it."""

from typing import Any

from flask_jwt_extended import JWTManager
from jwt import DecodeError
from jwt.utils import base64url_decode


class BoundedTokens(JWTManager):
    """Refuses a token that cannot be ours before PyJWT parses it, wherever it came from.

    How deep PyJWT can read depends on the interpreter's version and stack; this bound does not.
    """

    def _decode_jwt_from_config(self, encoded_token: str, *args: Any, **options: Any) -> dict[str, Any]:
        # The one method of the library that every token passes: header, cookie and body.
        if len(encoded_token) > _MAX_TOKEN or max(map(_brackets, encoded_token.split(".")[:2])) > _MAX_BRACKETS:
            raise DecodeError("longer or more nested than any of ours")
        claims: dict[str, Any] = super()._decode_jwt_from_config(encoded_token, *args, **options)
        return claims


_MAX_TOKEN = 4096  # characters, as many as a cookie may have; ours have about 400
_MAX_BRACKETS = 8  # in a token's header or its claims, so nesting is no deeper; ours have one


def _brackets(segment: str) -> int:
    """Count the brackets that open in a token's segment; PyJWT itself refuses what is no base64."""
    try:
        text = base64url_decode(segment)
    except ValueError:
        return 0
    return text.count(b"[") + text.count(b"{")
