"""streaming-form-data, as the intake uses it: its core, for a part that arrives in pieces.

The library is given a constant part header: its own e-mail parser would decode names that RFC 7578 §4.2 wants left
alone, accept bare line feeds and parts without a header, and take a tenth of the time of an upload of 1 MB. So it gets
what that would make of the constant instead, and its core is used without the class around it, which reads the
Content-Type with the same parser. Nor does it get a delimiter in two pieces, or a byte after the closing boundary: both
would lose data.
"""

from collections.abc import Mapping
from typing import Any

from streaming_form_data import _parser
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


class _Message:
    """What the e-mail parser would make of _HEADER, as far as the core asks it."""

    params: Mapping[str, str] = {"name": "part"}

    def __contains__(self, name: str) -> bool:
        return name == "content-disposition"

    def __getitem__(self, _name: str) -> "_Message":
        return self

    def get_content_disposition(self) -> str:
        return "form-data"


class _HeaderParser:
    """Stands in the core's eyes for the e-mail parser, and is that for whatever else uses the library."""

    def __init__(self, **options: Any) -> None:
        self._options = options

    def parsestr(self, header: str) -> Any:
        return _MESSAGE if header == _HEADER_LINE else _EmailParser(**self._options).parsestr(header)


_MESSAGE, _HEADER_LINE = _Message(), _HEADER.decode().lstrip().removesuffix("\r\n")
_EmailParser, _parser.Parser = _parser.Parser, _HeaderParser


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
