"""The JSON that the service reads (RFC 8259), and what of it is refused."""

import json
import re
from itertools import accumulate
from typing import Any, NoReturn

from flask.json.provider import DefaultJSONProvider


class StrictJSON(DefaultJSONProvider):
    """JSON that refuses what neither a database nor a password check can take."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Parse `s`, UTF-8 if bytes (RFC 8259 §8.1); raise ValueError for NaN, NUL, lone surrogates, deep nesting."""
        text = s if isinstance(s, str) else s.decode("utf-8-sig")
        if _depth(text) > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        value = super().loads(text, parse_constant=_no_constant, **kwargs)
        again = json.dumps(value, ensure_ascii=False)
        if _NUL.search(again):
            raise ValueError("holds a NUL character")
        again.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
        return value


_MAX_DEPTH = 32  # of lists and objects; our own bodies need 3. The interpreter's depth differs from version to version
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # one without an end takes all, so that time is linear
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as json.dumps writes it


def _depth(text: str) -> int:
    """Return how deep lists and objects are nested, brackets in strings left out."""
    brackets = re.findall(r"[\[\]{}]", _STRING.sub("", text))
    return max(accumulate((1 if bracket in "[{" else -1 for bracket in brackets), initial=0))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
