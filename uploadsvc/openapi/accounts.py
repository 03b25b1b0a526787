"""The operations on accounts: sign-in, sessions, passwords and API tokens."""

from typing import Any

from .answers import ok, refused
from .operations import ANYONE, SESSION, delete, get, given, post, sent
from .schemas import ID, NUMBER, SECONDS, SIGNED_IN, TEXT, TOKEN, WORD, YES_OR_NO, or_null, record, ref, several

_USER = record({"id": NUMBER, "email": TEXT, "collector": YES_OR_NO})
_NEW_PASSWORD = {"type": "string", "minLength": 8, "description": "At most 72 bytes in UTF-8; not a common one."}
_TOKEN_NAME = {"type": "string", "minLength": 1, "maxLength": 100, "description": "Only characters that can be shown."}
_DAYS = {"type": ["integer", "null"], "minimum": 1, "maximum": 3650, "description": "null, or nothing: no end."}

ACCOUNTS: dict[str, dict[str, Any]] = {
    "/api/auth/login": post(
        "login",
        "Exchange e-mail and password for a session",
        ANYONE,
        ok("Signed in; the cookies are set.", SIGNED_IN | {"user": _USER}) | refused(415, 429),
        requestBody=sent(
            record({"email": WORD, "password": WORD}),
            example={"email": "user@example.com", "password": "Password123!"},
        ),
    ),
    "/api/auth/refresh": post(
        "refresh",
        "Exchange a refresh token, from the cookie or the body, for a new pair",
        [{"refreshCookie": [], "csrf": []}, {}],
        ok("The cookies are set; only who sent a body gets `refresh`.", SIGNED_IN | {"refresh": TEXT}, ("refresh",)),
        requestBody=sent(record({"refresh": or_null(WORD)}, ("refresh",))) | {"required": False},
    ),
    "/api/auth/verify-status": post(
        "verifyStatus",
        "Tell who is signed in",
        [{"session": []}, {"cookie": []}],
        ok(
            "A session; `collector` tells that it may list what everybody keeps.",
            {"userId": NUMBER, "email": TEXT, "collector": YES_OR_NO, "expiresIn": SECONDS, "csrfToken": TEXT},
        ),
    ),
    "/api/auth/logout": post(
        "logout",
        "End the session at once and clear the cookies",
        [*SESSION, {"refreshCookie": [], "csrf": []}, {}],
        ok("There is no session any more, or there was none."),
    ),
    "/api/auth/password": post(
        "setPassword",
        "Set a new password and end every other session",
        SESSION,
        ok("The new password holds.") | refused(415, 429),
        requestBody=sent(
            record({"current": WORD, "new": _NEW_PASSWORD}),
            example={"current": "Password123!", "new": "correct horse battery staple"},
        ),
    ),
    "/api/auth/sessions": get(
        "listSessions",
        "List where one is signed in, the session used last first",
        SESSION,
        ok("All that are live.", {"sessions": several(ref("Session"))}),
    )
    | delete("endOtherSessions", "End every session but this one", SESSION, ok("They have ended.")),
    "/api/auth/sessions/{id}": delete(
        "endSession",
        "End one session at once",
        SESSION,
        ok("It has ended.") | refused(404),
        parameters=[given("id", "path", ID)],
    ),
    "/api/tokens": get(
        "listTokens",
        "List the API tokens, the newest first",
        SESSION,
        ok("All that were not revoked.", {"tokens": several(ref("Token"))}),
    )
    | post(
        "createToken",
        "Make an API token",
        SESSION,
        ok("Its text is shown this once.", {"token": TEXT} | TOKEN) | refused(415),
        requestBody=sent(
            record(
                {"name": _TOKEN_NAME, "scope": TOKEN["scope"], "expiresInDays": _DAYS},
                ("scope", "expiresInDays"),
            ),
            example={"name": "laptop", "scope": "full", "expiresInDays": 90},
        ),
    ),
    "/api/tokens/{id}": delete(
        "revokeToken",
        "Take an API token back",
        SESSION,
        ok("It is good no longer.") | refused(404),
        parameters=[given("id", "path", NUMBER)],
    ),
}
