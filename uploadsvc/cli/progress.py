"""What a long command tells meanwhile: how far it is, on a terminal alone, and what it finds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar while the inside does `total` bytes of work and tells so; nothing where nobody looks."""
    with click.progressbar(length=total, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield bar.update


def complain(line: str) -> None:
    """Say on standard error what is wrong, on a line of its own where a bar stands."""
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
    click.echo(line, err=True)
