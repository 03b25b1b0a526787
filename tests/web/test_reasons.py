"""Why an upload or a delete fails: the client's own sentence for every code it knows, in the reader's language."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.bodies import FILES
from tests.support.engines import Live, start_live
from tests.web.steps import REFUSED, UPLOAD, Account, choose, expect_status, patience, pdf, row, shelf, sign_in
from tests.web.test_languages import reader

Allow = Callable[..., None]
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
FINDS_MALICE = """sh -c '! grep -q MALICE "$1"' scan"""
CONTENT = {
    "en-GB": {
        "macros.docx": "Not uploaded. Documents with macros are not accepted.",
        "damaged.docx": "Not uploaded. The document is damaged.",
        "encrypted.docx": "Not uploaded. The document is protected with a password.",
        "a table.docx": "Not uploaded. The server did not accept the content of the file.",
        "it contains macros.txt": "Not uploaded. The virus scanner found malware in the file.",
        "it is encrypted.docx": "Not uploaded. The server did not accept the content of the file.",
    },
    "de-DE": {
        "macros.docx": "Nicht hochgeladen. Dokumente mit Makros werden nicht angenommen.",
        "damaged.docx": "Nicht hochgeladen. Das Dokument ist beschädigt.",
        "encrypted.docx": "Nicht hochgeladen. Das Dokument ist mit einem Passwort geschützt.",
        "a table.docx": "Nicht hochgeladen. Der Server hat den Inhalt der Datei nicht angenommen.",
        "it contains macros.txt": "Nicht hochgeladen. Der Virenscanner hat Schadsoftware in der Datei gefunden.",
        "it is encrypted.docx": "Nicht hochgeladen. Der Server hat den Inhalt der Datei nicht angenommen.",
    },
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with a scanner."""
    running = start_live(tmp_path_factory.mktemp("site"), SCAN_COMMAND=FINDS_MALICE)
    yield running
    running.stop(signal.SIGKILL)


def encrypted(archive: bytes) -> bytes:
    """Return a ZIP whose directory says that its first file is encrypted."""
    changed = bytearray(archive)
    changed[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def refused_files() -> list[dict[str, Any]]:
    good, table = (FILES / "libreoffice.docx").read_bytes(), (FILES / "refused/xlsx-renamed.docx").read_bytes()
    contents = {
        "macros.docx": (FILES / "refused/docm-renamed.docx").read_bytes(),
        "damaged.docx": good[: len(good) // 2],
        "encrypted.docx": encrypted(good),
        "a table.docx": table,
        "it contains macros.txt": b"full of MALICE",
        "it is encrypted.docx": table + b"\0",
    }
    return [{"name": name, "mimeType": DOCX, "buffer": content} for name, content in contents.items()]


@pytest.mark.parametrize("language", list(CONTENT))
def test_what_is_wrong_with_a_file_is_told_in_the_readers_language(
    browser: Browser, browser_context_args: dict[str, Any], origin: str, person: Account, language: str
) -> None:
    """Issue 10, Build 6: one code, and a sentence for each reason that the server tells; not for what a name says."""
    with reader(browser, browser_context_args, origin, language) as (page, watch):
        watch.allowed.append(f"{REFUSED} 415")
        page.goto("/")
        sign_in(page, person)
        expect(page.locator("#hint")).not_to_be_empty()
        choose(page, *refused_files())
        for name, text in CONTENT[language].items():
            expect_status(page, name, "FAILED")
            expect(row(page, name).locator(".meta")).to_have_text(text)
            expect(row(page, name).locator(".retry")).to_be_hidden()
    assert person.names == []


def refuse(page: Page, status: int, error: str, told: str = "", pattern: str = UPLOAD, **headers: str) -> None:
    """Answer uploads, or what matches `pattern`, with this refusal."""
    body = {"ok": False, "error": error, "message": told}
    given = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(route: Route) -> None:
        if route.request.method == "GET":
            route.continue_()
        else:
            route.fulfill(status=status, json=body, headers=given)

    page.unroute(pattern)
    page.route(pattern, answer)


@pytest.mark.parametrize("language", ["en-GB", "de-DE"])
def test_the_servers_sentence_is_for_codes_without_one(
    browser: Browser, browser_context_args: dict[str, Any], origin: str, person: Account, language: str
) -> None:
    """Issue 10, Build 6: it does not name the file, which the row does; without one it is plainly refused."""
    no = {"en-GB": "Not uploaded.", "de-DE": "Nicht hochgeladen."}[language]
    plain = {"en-GB": "The server refused the request.", "de-DE": "Der Server hat die Anfrage abgelehnt."}[language]
    with reader(browser, browser_context_args, origin, language) as (page, watch):
        watch.allowed.append(REFUSED)
        page.goto("/")
        sign_in(page, person)
        expect(page.locator("#hint")).not_to_be_empty()
        cases = [
            ("a.pdf", "made_up", "The end of “a.pdf” is missing.", f"{no} The end is missing."),
            ("b.pdf", "made_up", "“b.pdf” was refused.", f"{no} It was refused."),
            ("c.pdf", "made_up", "", f"{no} {plain}"),
        ]
        for name, error, told, text in cases:
            refuse(page, 400, error, told)
            choose(page, pdf(name))
            expect(row(page, name).locator(".meta")).to_have_text(text)
        for status, error in ((413, "too_large"), (507, "quota_exceeded"), (507, "insufficient_storage")):
            refuse(page, status, error, "Told by the server.")
            choose(page, pdf(f"{error}.pdf"))
            expect_status(page, f"{error}.pdf", "FAILED")
            expect(row(page, f"{error}.pdf")).not_to_contain_text("Told by the server.")


@pytest.mark.parametrize(
    ("code", "text"),
    [("quota_exceeded", "Your storage is full."), ("insufficient_storage", "The server's storage is full.")],
)
def test_whose_storage_is_full_is_told(signed_in: Page, allow: Allow, code: str, text: str) -> None:
    """Two codes of 507, each with the client's own sentence."""
    allow(f"{REFUSED} 507")
    refuse(signed_in, 507, code, "Told by the server.")
    choose(signed_in, pdf("a.pdf"))
    expect(row(signed_in, "a.pdf").locator(".meta")).to_have_text(f"Not uploaded. {text}")


def test_a_proxy_that_takes_no_large_file(signed_in: Page, person: Account, allow: Allow) -> None:
    """A 413 that is not the service's: its limit is not blamed, and when the proxy is mended a retry gets through."""
    allow(f"{REFUSED} 413")
    page = "<html><body><h1>413 Request Entity Too Large</h1><hr>nginx</body></html>"
    signed_in.route(UPLOAD, lambda route: route.fulfill(status=413, body=page, content_type="text/html"))
    choose(signed_in, pdf("large.pdf", 2_000_000))
    expect(row(signed_in, "large.pdf").locator(".meta")).to_have_text(
        "Not uploaded. Something in front of the server refuses files of this size."
    )
    signed_in.unroute(UPLOAD)
    signed_in.get_by_role("button", name="Retry failed").click()
    expect_status(signed_in, "large.pdf", "SUCCESS")
    assert person.names == ["large.pdf"]


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"Retry_After": "1"}, "Too many requests. Try again in 1 second."),
        ({"Retry_After": "7"}, "Too many requests. Try again in 7 seconds."),
        ({"Retry_After": "600"}, "Too many requests. Try again in 10 minutes."),
        ({}, "Too many requests. Try again later."),
    ],
)
def test_a_throttled_request_tells_when_to_try_again(
    signed_in: Page, allow: Allow, headers: dict[str, str], text: str
) -> None:
    """429 of a delete, and of an upload that was not retried any more: no word of uploads, and the time it takes."""
    allow(f"{REFUSED} 429")
    patience(signed_in, retries=[])
    choose(signed_in, pdf("a.pdf"))
    expect_status(signed_in, "a.pdf", "SUCCESS")
    refuse(signed_in, 429, "too_many_requests", "Told.", "**/api/documents/*", **headers)
    signed_in.get_by_role("button", name="Delete a.pdf").click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(shelf(signed_in).locator(".problem")).to_have_text(f"Not deleted. {text}")
    refuse(signed_in, 429, "too_many_requests", "Told.", **headers)
    choose(signed_in, pdf("b.pdf"))
    expect(row(signed_in, "b.pdf").locator(".meta")).to_have_text(f"Not uploaded. {text}")


def test_a_delete_that_is_refused(signed_in: Page, allow: Allow) -> None:
    """The server says nothing, and the page does not speak of a file that was refused."""
    allow(f"{REFUSED} 403")
    choose(signed_in, pdf("a.pdf"))
    refuse(signed_in, 403, "made_up", "", "**/api/documents/*")
    signed_in.get_by_role("button", name="Delete a.pdf").click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(shelf(signed_in).locator(".problem")).to_have_text("Not deleted. The server refused the request.")
