"""Has schemathesis, which loads this file, hold answers of text/plain to their schema too."""

from typing import Any

import schemathesis


@schemathesis.deserializer("text/plain")
def text_of(_context: Any, response: Any) -> str:
    return response.content.decode("utf-8", "replace")  # a range of a document may cut a character in two
