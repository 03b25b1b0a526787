"""The README is not allowed to be true only of last week."""

import re

import pytest
from flask import Flask

from tests.support.engines import ROOT
from uploadsvc.config import SETTINGS

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_is_the_code_s() -> None:
    table = [(s.name, s.default.removeprefix(f"{ROOT}/"), s.reason) for s in SETTINGS]
    assert re.findall(r"^\| `([A-Z0-9_]+)` \|(?: (\S*))? \| (.+) \|$", README, re.MULTILINE) == table


@pytest.mark.parametrize("document", ["README.md", "docs/hosting.md", "docs/growing.md", "deploy/scaled/README.md"])
def test_links_lead_somewhere(document: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", (ROOT / document).read_text(encoding="utf-8"))
    assert links and [link for link in links if not ((ROOT / document).parent / link).exists()] == []


def test_every_route_is_in_the_table(app: Flask) -> None:
    rules = {
        re.sub(r"<(?:\w+:)?(?:\w+_)?(\w+)>", r"<\1>", rule.rule)
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("web")
    }
    written = {
        path
        for cell in re.findall(r"^\| ([A-Z, ]+`/.*?)\|", README, re.MULTILINE)
        for path in re.findall(r"`(/[^?`]+)", cell)
    }
    assert written == rules
