"""What bench/ shows is what it measured: the picture and the tables come from the JSON, and every peer is explained."""

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.engines import ROOT

BENCH = ROOT / "bench"
README = (BENCH / "README.md").read_text(encoding="utf-8")
RESULTS = json.loads((BENCH / "results.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _bench_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    for name in ("picture", "tables", "peers"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_the_picture_is_drawn_from_the_results() -> None:
    import picture

    assert (BENCH / "results.svg").read_text(encoding="utf-8") == picture.svg(RESULTS)


def test_the_picture_is_well_formed_and_says_what_it_shows() -> None:
    root = ElementTree.fromstring((BENCH / "results.svg").read_text(encoding="utf-8"))
    said = {element.tag.split("}")[1]: element.text or "" for element in root[:2]}
    assert said["title"] and all(server["title"] in said["desc"] for server in RESULTS["servers"].values())


def test_the_picture_has_the_page_s_accent() -> None:
    import picture

    colours = re.findall(r"--accent: (#\w+);", (ROOT / "web/css/base.css").read_text(encoding="utf-8"))
    assert colours == [picture.ACCENT, picture.ACCENT_DARK]


def test_the_tables_are_the_results(tmp_path: Path) -> None:
    import tables

    copy = tmp_path / "README.md"
    copy.write_text(README, encoding="utf-8")
    tables.fill(copy, RESULTS)
    assert copy.read_text(encoding="utf-8") == README


def test_every_peer_is_explained() -> None:
    import peers

    explained = set(re.findall(r"^\| `([\w-]+)` \| .+ \| .+ \| .+ \|$", README, re.MULTILINE))
    assert explained == set(peers.PEERS)
    assert set(RESULTS["servers"]) - {"ours"} <= explained


def test_a_peer_that_was_left_out_leaves_a_picture_and_tables() -> None:
    import picture
    import tables

    alone = RESULTS | {"servers": {"ours": RESULTS["servers"]["ours"]}}
    assert "uploadsvc" in picture.svg(alone)
    assert "uploadsvc" in tables.text(alone)
