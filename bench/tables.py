"""The tables of a run as Markdown, and their place in bench/README.md."""

BEGIN, END = "<!-- from results.json -->", "<!-- until here -->"


def number(value):
    """Three figures of a number as people read it; thousands with a space."""
    digits = max(0, 2 - len(str(int(value)))) if value >= 1 else 2
    return f"{value:,.{digits}f}".replace(",", " ")


def text(results):
    """All tables, with a line of what was measured on."""
    return "\n\n".join((_machine(results), _rates(results), _ratios(results), _refusals(results), _ours(results)))


def fill(readme, results):
    """Put the tables between the marks in the file `readme`."""
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{text(results)}\n{END}{after}", encoding="utf-8")


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _sizes(results):
    return list(results["machine"]["connections"])


def _machine(results):
    machine = results["machine"]
    connections = ", ".join(f"{count} with {size}" for size, count in machine["connections"].items())
    backed = {"memory": "memory-backed storage", "disk": "the ordinary filesystem"}[machine["storage"]]
    return (
        f"{machine['date']}, {machine['processors']} processors, CPython {machine['python']}, "
        f"Node {machine['node'] or 'absent'}, {backed};\nprocesses of each: {machine['workers']}; connections: "
        f"{connections}; medians of {machine['rounds']} pairs of {machine['seconds']} s."
    )


def _rates(results):
    rows = []
    for server in results["servers"].values():
        cells = [
            f"{number(run['uploads_s'])} ({number(run['cpu_ms'])}){_trouble(run)}"
            for run in (server["sizes"][size] for size in _sizes(results))
        ]
        rows.append([server["title"], *cells, str(server["peak_mib"])])
    return _table(["uploads/s (CPU ms an upload)", *_sizes(results), "peak MiB"], rows)


def _trouble(run):
    said = "".join(f", {run[what]} {what}" for what in ("refused", "broken", "lost") if run[what])
    return f" {said.removeprefix(', ')}" if said else ""


def _ratios(results):
    rows = []
    for name, server in results["servers"].items():
        runs = [server["sizes"][size] for size in _sizes(results)]
        if name != "ours":
            rows.append([server["title"], *(f"{_ratio(run['ratio'])} ({_ratio(run['cpu_ratio'])})" for run in runs)])
    return _table(["ours over it: uploads/s (CPU an upload)", *_sizes(results)], rows)


def _ratio(value):
    return "-" if value is None else f"{value:.2f}"


def _refusals(results):
    rows = []
    for server in results["servers"].values():
        cells = []
        for case in ("stranger", "png"):
            found = server["refusals"][case]
            cells += [f"{number(found['ms'])} ms, {_verdict(found['status'])}", f"{number(found['sent'] / 1e6)} MB"]
        rows.append([server["title"], *cells])
    head = ["10 MB, until the answer", "without a token", "sent by then", "a PNG named .pdf", "sent by then"]
    return _table(head, rows)


def _verdict(status):
    if status == 0:
        return "connection broken"
    return f"taken ({status})" if status < 300 else str(status)


def _ours(results):
    runs = results["servers"]["ours"]["sizes"]
    rows = [
        [size, number(runs[size]["p99_ms"]), number(wait["p50_ms"]), number(wait["p99_ms"])]
        for size, wait in results["documents"].items()
    ]
    head = ["ours under load", "p99 of an upload, ms", "`GET /api/documents` meanwhile: p50", "p99"]
    slow, fast = results["at_once"]["slow"], results["at_once"]["fast"]
    return (
        _table(head, rows)
        + f"\n\n{slow['count']} slow uploads open: {slow['over_idle_mib']} MiB over the {slow['idle_mib']} MiB of "
        f"an idle service; {fast['count']} of 10 MB at once: {fast['over_idle_mib']} MiB over {fast['idle_mib']}."
    )
