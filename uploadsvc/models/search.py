"""What names are searched by, and sorted by: the same on every engine, for neither is asked to know an alphabet."""

import unicodedata

from ..filetypes import readable

_BETWEEN = "\n"  # sorts before whatever a name can hold, and nobody can search for it


def fold(text: str) -> str:
    """Return `text` cleaned as names are, without its case, in NFC (Unicode 16 §3.13, D145): "ß" is "ss"."""
    text = readable(text)
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def search_key(filename: str, sender: str | None = None) -> str:
    """Return what of a document is searched: its name and, if it has one, its sender's, both folded."""
    return _BETWEEN.join(fold(text) for text in (filename, sender) if text)
