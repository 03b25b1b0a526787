"""What every refusal is."""

from collections.abc import Mapping


class ApiError(Exception):
    """A refusal with a status, a stable code and a sentence that tells what to do.

    Its `reason`, one of a few words, is for whoever counts refusals: what lies behind the code.
    """

    status = 500
    code = "internal_error"
    reason = ""

    def __init__(self, message: str, headers: Mapping[str, str] | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.headers = dict(headers or {})
        self.reason = reason or self.reason
