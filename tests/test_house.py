"""The house rules that a machine can hold: floors, sizes, and what may stand where (design: rooms and floors)."""

import ast
from pathlib import Path

import pytest

from tests.support.left_out import LEFT_OUT

TESTS = Path(__file__).resolve().parent
PACKAGE = Path(__file__).resolve().parent.parent / "uploadsvc"
FLOORS = [
    {"errors", "audit", "filetypes", "storage", "intake", "credentials", "crew", "message", "scanner"},
    {"config", "extensions", "models", "throttle", "telemetry", "guard"},
    {"principal"},
    {"auth", "uploads", "documents", "tokens", "requests", "health", "metrics", "openapi", "client"},
    {"__init__", "cli", "server", "workers"},
]
# Of one's own floor only these may be imported; the roof may import what it likes.
NEIGHBOURS = [{"errors"}, {"extensions"}, set(), set(), FLOORS[4]]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(PACKAGE.rglob("*.py"))
WEB = PACKAGE.parent / "web"
CLIENT = sorted(path for path in WEB.rglob("*") if path.suffix in {".js", ".css"})


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    depth = len(path.relative_to(PACKAGE).parts)
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            rooms |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("uploadsvc"):
            rooms |= set((node.module or "").split(".")[1:2])
    return rooms & set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_downwards(path: Path) -> None:
    room = room_of(path)
    for other in imported_rooms(path) - {room}:
        below = LEVEL[other] < LEVEL[room]
        assert below or other in NEIGHBOURS[LEVEL[room]], f"{room} imports {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_ends_before_250_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 250


@pytest.mark.parametrize("path", CLIENT, ids=lambda path: str(path.relative_to(WEB)))
def test_a_module_of_the_client_has_no_more_than_250_lines(path: Path) -> None:
    """Issue 10, "Tests"; the style sheets too."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250


def test_the_client_has_modules() -> None:
    assert len(CLIENT) > 40


def test_only_config_reads_the_environment() -> None:
    assert {room_of(path) for path in MODULES if "os.environ" in path.read_text(encoding="utf-8")} == {"config"}


def test_the_ground_floor_knows_no_request() -> None:
    for path in MODULES:
        if room_of(path) in FLOORS[0]:
            names = {
                node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)
            }
            assert not names & {"current_app", "request", "g"}, path


def test_every_room_stands_on_a_floor() -> None:
    assert {room_of(path) for path in MODULES} <= set(LEVEL)


def test_nothing_touches_the_parsed_form() -> None:
    """D21: whatever reads request.form or request.files eats the stream before the intake sees it."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "request":
                assert node.attr not in {"form", "files", "values", "data"}, path


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_the_second_run_leaves_out_is_there(name: str) -> None:
    path, _, test = name.partition("::")
    source = TESTS / path
    assert source.exists() and (not test or f"def {test}(" in source.read_text(encoding="utf-8"))
