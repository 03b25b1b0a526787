"""The picture of a run: bench/results.svg, drawn from bench/results.json alone.

usage: python bench/picture.py   (draws it anew without measuring)
"""

import json
from html import escape
from pathlib import Path

from tables import number

RESULTS = Path(__file__).with_name("results.json")
ACCENT, ACCENT_DARK = "#2b5fae", "#93b7f7"  # of web/css/base.css
WIDTH, MARGIN, NAMES, GAP = 560, 12, 122, 8
ROW, BAR, NUMBER = 24, 14, 60  # heights of a row and of its bar; the width of the longest number beside a bar
PANEL = (WIDTH - 2 * MARGIN - NAMES - 2 * GAP) / 3
STYLE = f"""
  svg {{ --paper: #fff; --ink: #1f1e1b; --quiet: #5b574e; --bar: #958f81; --ours: {ACCENT} }}
  @media (prefers-color-scheme: dark) {{
    svg {{ --paper: #1e1e1b; --ink: #eeece6; --quiet: #b3aea3; --bar: #807b70; --ours: {ACCENT_DARK} }}
  }}
  text {{ font: 15px system-ui, sans-serif; fill: var(--ink); font-variant-numeric: tabular-nums }}
  .head {{ font-weight: 600 }}
  .ours {{ font-weight: 600; fill: var(--ours) }}
  .quiet {{ fill: var(--quiet) }}
  rect.bar {{ fill: var(--bar) }}
  rect.ours {{ fill: var(--ours) }}
  rect.taken {{ fill: none; stroke: var(--bar); stroke-width: 2 }}
  .paper {{ fill: var(--paper) }}
  .cut {{ stroke: var(--paper); stroke-width: 3 }}
"""


class Bar:
    """One figure of one server: its length, whether it is ours, and whether it stands for an upload that was taken."""

    def __init__(self, name, value, taken=False):
        self.value, self.taken = value, taken
        self.ours = name == "ours"
        self.measure = name != "limit"  # what does nothing but carry bytes is no measure for the others

    def draw(self, x, y, longest):
        """Draw it from `x` on, on the line `y`; what is longer than `longest` is cut."""
        room = PANEL - NUMBER
        length = max(1, room * min(self.value, longest) / longest)
        kind = " ".join(["bar", *["taken"] * self.taken, *["ours"] * self.ours])
        inset = 1 if self.taken else 0
        yield (
            f'<rect class="{kind}" x="{x + inset:.1f}" y="{y - BAR / 2 + inset:.1f}" rx="2" '
            f'width="{max(length - 2 * inset, 1):.1f}" height="{BAR - 2 * inset}"/>'
        )
        if self.value > longest:
            middle = x + length * 0.8
            yield f'<path class="cut" d="M{middle - 3:.1f} {y + 9}l6 -18m5 0l-6 18"/>'
        yield write(x + length + 6, y + 5, number(self.value), "ours" if self.ours else "")


def write(x, y, words, kind=""):
    mark = f' class="{kind}"' if kind else ""
    return f'<text{mark} x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def panel(x, y, heading, bars):
    """A heading and a bar a server, to a scale of its own; a server without a figure has none."""
    yield write(x, y, heading, "quiet")
    known = [bar.value for bar in bars if bar]
    longest = max([bar.value for bar in bars if bar and bar.measure] or known or [1])
    for line, bar in enumerate(bars):
        if bar:
            yield from bar.draw(x, y + 20 + line * ROW, max(longest, 0.001))


def block(y, title, servers, panels):
    """A title, the servers' names once, and panels beside each other; `panels` are (heading, bars)."""
    yield write(MARGIN, y, title, "head")
    for line, (name, server) in enumerate(servers.items()):
        yield write(MARGIN, y + 51 + line * ROW, server["title"], "ours" if name == "ours" else "")
    for column, (heading, bars) in enumerate(panels):
        yield from panel(MARGIN + NAMES + column * (PANEL + GAP), y + 26, heading, bars)


def speeds(servers, size):
    return [
        Bar(name, server["sizes"][size]["uploads_s"]) if size in server["sizes"] else None
        for name, server in servers.items()
    ]


def refusals(servers, case):
    found = {name: server["refusals"][case] for name, server in servers.items()}
    return [Bar(name, said["ms"], 200 <= said["status"] < 300) for name, said in found.items()]


def svg(results):
    """Return the picture of what `run.py` found."""
    servers = results["servers"]
    sizes = list(results["machine"]["connections"])
    rows = len(servers) * ROW
    first, second = 34, 34 + rows + 66
    height = second + rows + 92
    description = "; ".join(
        f"{server['title']}: "
        + ", ".join(f"{number(run['uploads_s'])} uploads/s of {size}" for size, run in server["sizes"].items())
        + f", {server['peak_mib']} MiB, answers a stranger after {number(server['refusals']['stranger']['ms'])} ms"
        for server in servers.values()
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="title desc">',
        '<title id="title">uploadsvc beside its peers: uploads a second, memory, time to a refusal</title>',
        f'<desc id="desc">{escape(description)}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>',
        *block(first, "Uploads a second: longer is better", servers, [(size, speeds(servers, size)) for size in sizes]),
        *block(
            second,
            "Memory, and time until 10 MB are answered: shorter is better",
            servers,
            [
                ("peak, MiB", [Bar(name, server["peak_mib"]) for name, server in servers.items()]),
                ("no token, ms", refusals(servers, "stranger")),
                ("PNG as .pdf, ms", refusals(servers, "png")),
            ],
        ),
        write(MARGIN, height - 36, "Hollow: such an upload was taken, not refused.", "quiet"),
        write(MARGIN, height - 14, "Each panel has a scale of its own; a cut bar goes beyond it.", "quiet"),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def draw(file):
    """Draw what the JSON `file` holds beside it."""
    file.with_suffix(".svg").write_text(svg(json.loads(file.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    draw(RESULTS)
