"""What is sent: real files, and multipart/form-data bodies as a browser would make them."""

from pathlib import Path

FILES = Path(__file__).resolve().parent.parent / "files"
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
PDF = b"%PDF-1.7\nhello\n%%EOF\n"


def part(
    name: str = "file", filename: str | None = "a.pdf", content: bytes = PDF, mimetype: str | None = None
) -> bytes:
    """One part as a browser would send it, without its boundary."""
    head = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        head += f'; filename="{filename}"'
    if mimetype is not None:
        head += f"\r\nContent-Type: {mimetype}"
    return head.encode() + b"\r\n\r\n" + content


def multipart(*parts: bytes, boundary: str = BOUNDARY) -> bytes:
    """A complete multipart/form-data body."""
    mark = b"--" + boundary.encode()
    return b"".join(mark + b"\r\n" + p + b"\r\n" for p in parts) + mark + b"--\r\n"
