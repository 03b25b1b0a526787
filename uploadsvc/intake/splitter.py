"""streaming-form-data, as the intake uses it: its core, for a part that arrives in pieces.

The library is given a constant part header: its own e-mail parser would decode names that RFC 7578 §4.2 wants left
alone, accept bare line feeds and parts without a header, and take its time. For that last reason its core is used
without the class around it, which reads the Content-Type with the same parser. Nor does it get a delimiter in two
pieces, or a byte after the closing boundary: both would lose data.
"""

from streaming_form_data._parser import _Parser
from streaming_form_data.targets import BaseTarget

from ..errors import ApiError, Malformed
from .parts import Part

_GATHER = 8 * 1024  # bytes fed to the library at a time; below about 32 it fails on legal bodies
_HEADER = b"\r\nContent-Disposition:form-data;name=part\r\n\r\n"


class Splitting:
    """One part on its way through the library. `delimiter` begins with CRLF and hyphens; the part ends at the next."""

    def __init__(self, delimiter: bytes, part: Part) -> None:
        self._end = delimiter + b"--"
        self._core = _Parser(delimiter + b"\r\n", self._end, False)
        self._core.register("part", _Target(part))
        self._gathered = [delimiter, _HEADER]
        self._gathered_size = 0

    def feed(self, content: bytes) -> None:
        """Take the next bytes of content; raise what the part raises, or Malformed."""
        self._gathered.append(content)
        self._gathered_size += len(content)
        if self._gathered_size >= _GATHER:
            self._flush()

    def finish(self) -> None:
        """Have the part judged to its end; raise what it raises, or Malformed."""
        self._gathered.append(self._end)
        self._flush()

    def _flush(self) -> None:
        block = b"".join(self._gathered)
        self._gathered = []
        self._gathered_size = 0
        try:
            fault = self._core.data_received(block)
        except (ApiError, OSError):
            raise
        except Exception as error:
            raise Malformed("The upload is not valid multipart/form-data.") from error
        if fault:
            raise Malformed(f"The upload is not valid multipart/form-data (fault {fault}).")


class _Target(BaseTarget):
    """The core's one target: passes the bytes to the part."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self._part = part

    def on_data_received(self, chunk: bytes) -> None:
        if chunk:
            self._part.write(chunk)

    def on_finish(self) -> None:
        self._part.finish()
