"""Reads what the headers of a multipart/form-data body and of its parts say (RFC 7578, RFC 2046, RFC 9110)."""

import re

from ..errors import Malformed, UnsupportedType

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - a token of RFC 9110 §5.6.2
_HEADER_LINE = re.compile(rf"({_TOKEN}):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*)")
_VALUE = re.compile(rf"[ \t]*({_TOKEN}(?:/{_TOKEN})?)")
# A quoted value ends at the quote before the next parameter or the end, whatever stands before that quote: browsers
# send a backslash as itself (WHATWG), so `name="a\"; filename=…` is a name that ends in one.
_VALUE_END = rf"[ \t]*+(?:;[ \t;]*+(?:{_TOKEN}[ \t]*+=|$)|$)"
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*({_TOKEN})[ \t]*=[ \t]*(?:"(.*?)"(?={_VALUE_END})|([^\s";]*))')
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=?]{1,70}")  # RFC 2046 §5.1.1, less the space


def boundary_of(content_type: str) -> str:
    """Return the boundary of a multipart/form-data Content-Type; raise Malformed, or UnsupportedType for others."""
    if not content_type.strip():
        raise Malformed("The Content-Type is missing. Send multipart/form-data.")
    media_type, parameters = parameters_of(content_type)
    if media_type != "multipart/form-data":
        raise UnsupportedType("Files are uploaded as multipart/form-data.")
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise Malformed("The boundary in the Content-Type is missing or not valid (RFC 2046 §5.1.1).")
    return boundary


def part_header(block: bytes, max_lines: int) -> tuple[str, str | None, str]:
    """Return (name, filename or None, declared type) from a part's header lines (RFC 7578 §4.2, §4.4)."""
    lines = block.split(b"\r\n")
    if len(lines) > max_lines:
        raise Malformed(f"A part of the upload has more than {max_lines} header lines.")
    fields: dict[str, str] = {}
    for line in lines:
        try:
            match = _HEADER_LINE.fullmatch(line.decode())
        except UnicodeDecodeError as error:
            raise Malformed("A part of the upload has a header that is not UTF-8.") from error
        if not match or (key := match[1].lower()) in fields:
            raise Malformed("A part of the upload has a header that is not valid, or one header twice.")
        fields[key] = match[2]
    disposition, parameters = parameters_of(fields.get("content-disposition", ""))
    if disposition != "form-data" or not parameters.get("name"):
        raise Malformed("A part of the upload lacks “Content-Disposition: form-data” with a name.")
    filename = parameters.get("filename")
    if filename is not None:
        parameters.pop("filename*", None)  # .NET's HttpClient sends both
    if any(parameter.endswith("*") for parameter in parameters):
        raise Malformed("A part of the upload uses “filename*”, which RFC 7578 §4.2 forbids. Send “filename” as UTF-8.")
    declared = fields.get("content-type", "").partition(";")[0].strip().lower()
    return _unescape(parameters["name"]), None if filename is None else _unescape(filename), declared


def parameters_of(value: str) -> tuple[str, dict[str, str]]:
    """Split `type; key=value; key="value"` into the lower-cased type and its parameters; raise Malformed."""
    match = _VALUE.match(value)
    parameters: dict[str, str] = {}
    at = match.end() if match else 0
    while found := _PARAMETER.match(value, at):
        key = found[1].lower()
        if key in parameters:
            raise Malformed(f"A header of the upload gives “{key}” twice.")
        parameters[key] = found[3] if found[2] is None else found[2]
        at = found.end()
    if not match or value[at:].strip(" \t;"):
        raise Malformed("A header of the upload is not valid.")
    return match[1].lower(), parameters


def _unescape(name: str) -> str:
    """Undo what browsers do to names (WHATWG HTML, multipart/form-data encoding algorithm), and no more.

    A quote may have a backslash instead (RFC 9110 §5.6.4; curl before 7.81). Any other backslash is a character.
    """
    return name.replace('\\"', '"').replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
