"""streaming-form-data, as the intake uses it: its core, one target, and the one part header it is ever given."""

from collections import deque
from email.message import EmailMessage, Message
from email.parser import Parser
from email.policy import HTTP

from streaming_form_data import _parser as library
from streaming_form_data.targets import BaseTarget

from .parts import Part

_LINE = "Content-Disposition:form-data;name=part\r\n"
PART_HEADER = _LINE.encode() + b"\r\n"
_PARSED = EmailMessage(policy=HTTP)
_PARSED["Content-Disposition"] = "form-data;name=part"


class _Remembering(Parser):
    """The library's e-mail parser, which took half of the intake of a small upload to read that header each time."""

    def parsestr(self, text: str, headersonly: bool = False) -> Message:
        return _PARSED if text == _LINE else super().parsestr(text, headersonly)


library.Parser = _Remembering


class Splitter(BaseTarget):
    """The core's one target: passes each part's bytes to the next part that the intake has opened."""

    def __init__(self, coming: deque[Part]) -> None:
        super().__init__()
        self._coming = coming

    def on_start(self) -> None:
        self._part = self._coming.popleft()

    def on_data_received(self, chunk: bytes) -> None:
        if chunk:
            self._part.write(chunk)

    def on_finish(self) -> None:
        self._part.finish()


def splitting(delimiter: bytes, coming: deque[Part]) -> library._Parser:
    """Return a core that splits at `delimiter`, which begins with CRLF and hyphens, into the parts of `coming`."""
    core = library._Parser(delimiter + b"\r\n", delimiter + b"--", False)
    core.register("part", Splitter(coming))
    return core
