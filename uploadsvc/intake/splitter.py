"""streaming-form-data, as the intake uses it: its core, one target, and the one part header it is ever given."""

from collections import deque

from streaming_form_data import _parser as library
from streaming_form_data.targets import BaseTarget

from .parts import Part

PART_HEADER = b"Content-Disposition:form-data;name=part\r\n\r\n"


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
