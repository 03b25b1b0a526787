"""Rows D1-D3, E1 and E2 of the client's specification."""
# ruff: noqa: N802 - a test bears the name of its row

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.web.steps import (
    REFUSED,
    Account,
    answers,
    choose,
    expect_all,
    expire,
    hold,
    patience,
    pdf,
    pdfs,
    shelf,
)
from tests.web.test_accessibility import check

Allow = Callable[..., None]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def test_D1_list_cache(signed_in: Page) -> None:
    """Newest first; fresh for five minutes; Refresh asks once; an upload is prepended; other tabs read it again."""
    lists, show = answers(signed_in.context, "/api/documents"), "dispatchEvent(new Event('focus'))"
    choose(signed_in, pdf("old.pdf"))
    expect(shelf(signed_in)).to_have_count(1)
    choose(signed_in, pdf("new.pdf"))
    expect(shelf(signed_in).locator(".full")).to_have_text(["new.pdf", "old.pdf"])
    signed_in.evaluate(show)
    signed_in.evaluate("fetch('/api/limits')")
    assert lists == []
    with signed_in.expect_response("**/api/documents?*"):
        signed_in.get_by_role("button", name="Refresh").click()
    expect(shelf(signed_in).locator(".full")).to_have_text(["new.pdf", "old.pdf"])
    assert lists == [200]
    other = signed_in.context.new_page()
    other.goto("/")
    expect(shelf(other)).to_have_count(2)
    choose(signed_in, pdf("newest.pdf"))
    expect(shelf(signed_in)).to_have_count(3)
    other.evaluate(show)
    expect(shelf(other).locator(".full")).to_have_text(["newest.pdf", "new.pdf", "old.pdf"])
    assert lists == [200, 200, 200]


def test_D2_download(signed_in: Page, person: Account, allow: Allow) -> None:
    """A download keeps the name and the page; what has gone is told; without a session the page asks to sign in."""
    allow(f"{REFUSED} 401", f"{REFUSED} 404")
    asked: list[str] = []
    signed_in.on("dialog", lambda dialog: asked.append(dialog.type))
    name = "Übersicht & Preise, 100 %.pdf"
    choose(signed_in, pdf(name))
    link = signed_in.get_by_role("link", name=f"Download {name}")
    expire(signed_in.context)
    with signed_in.expect_download() as download:
        link.click()
    assert download.value.suggested_filename.replace("_", "%") == name
    assert download.value.path().read_bytes() == pdf(name)["buffer"]
    before = signed_in.url
    choose(signed_in, pdf("gone.pdf"))
    headers = person.site.login(person.email)
    gone = signed_in.get_by_role("link", name="Download gone.pdf")
    address = str(gone.get_attribute("href")).removesuffix("/content")
    assert person.site.request("DELETE", address, headers=headers)[0] == 200
    gone.click()
    expect(signed_in.locator("#notices")).to_have_text("This file is no longer there.")
    expect(shelf(signed_in)).to_have_count(1)
    expire(signed_in.context, session=True)
    link.click()
    expect(signed_in.locator("#sign-in-again")).to_be_visible()
    assert (signed_in.url, asked) == (before, [])


def test_D3_delete(signed_in: Page, person: Account, allow: Allow) -> None:
    """Cancel keeps the row, "Deleting…" is shown, 404 counts as done, a failure restores the row; focus."""
    allow(f"{REFUSED} 404", f"{REFUSED} 500")
    for number in range(4):
        choose(signed_in, pdf(f"d{number}.pdf"))
        expect(shelf(signed_in)).to_have_count(number + 1)

    def delete(number: int, answer: str = "Delete") -> None:
        signed_in.get_by_role("button", name=f"Delete d{number}.pdf").click()
        signed_in.get_by_role("dialog").get_by_role("button", name=answer, exact=True).click()

    delete(3, "Cancel")
    expect(signed_in.get_by_role("button", name="Delete d3.pdf")).to_be_focused()
    held = hold(signed_in, "**/api/documents/*")
    delete(2)
    expect(shelf(signed_in).nth(1)).to_contain_text("Deleting…")
    held[0].fulfill(status=500, json={"ok": False, "error": "x", "message": "x"})
    expect(shelf(signed_in).nth(1)).to_contain_text("Not deleted. The server had a problem. Try again.")
    expect(signed_in.locator("#announcer-alert")).to_contain_text("d2.pdf: Not deleted.")
    signed_in.unroute("**/api/documents/*")
    delete(2)
    expect(shelf(signed_in)).to_have_count(3)
    expect(signed_in.get_by_role("button", name="Delete d3.pdf")).to_be_focused()
    gone = shelf(signed_in).first.get_attribute("data-id")
    assert person.site.request("DELETE", f"/api/documents/{gone}", headers=person.site.login(person.email))[0] == 200
    delete(3)
    expect(shelf(signed_in).locator(".full")).to_have_text(["d1.pdf", "d0.pdf"])
    expect(signed_in.locator("#documents-h")).to_be_focused()
    assert person.names == ["d0.pdf", "d1.pdf"]


def test_a_problem_stays_beside_the_facts_until_it_is_mended(signed_in: Page, allow: Allow) -> None:
    """Issue 10: "Not deleted…" is red, size and date stay, and it goes when the list says that all is well."""
    allow(f"{REFUSED} 500")
    choose(signed_in, pdf("a.pdf"))
    here = shelf(signed_in)
    expect(here.locator(".meta")).to_contain_text("today")
    facts = here.locator(".meta").text_content() or ""
    signed_in.route("**/api/documents/*", lambda route: route.fulfill(status=500, json={"ok": False}))
    for mend in ("Refresh", "Delete a.pdf"):
        signed_in.get_by_role("button", name="Delete a.pdf").click()
        signed_in.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
        expect(here.locator(".problem")).to_have_text("Not deleted. The server had a problem. Try again.")
        expect(here.locator(".meta")).to_have_text(facts)
        assert here.locator(".problem").evaluate("(text) => getComputedStyle(text).color") == "rgb(176, 39, 31)"
        check(signed_in)
        signed_in.emulate_media(color_scheme="light")
        if mend == "Refresh":
            signed_in.get_by_role("button", name=mend).click()
            expect(here.locator(".problem")).to_be_hidden()
    signed_in.unroute("**/api/documents/*")
    signed_in.get_by_role("button", name="Delete a.pdf").click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(here).to_have_count(0)


def test_a_problem_is_shown_though_the_list_was_read_meanwhile(signed_in: Page, allow: Allow) -> None:
    """A delete that is on its way is so in the new list too, and what comes of it is told there."""
    allow(f"{REFUSED} 500")
    choose(signed_in, pdf("a.pdf"))
    held = hold(signed_in, "**/api/documents/*")
    signed_in.get_by_role("button", name="Delete a.pdf").click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    with signed_in.expect_response("**/api/documents?*"):
        signed_in.get_by_role("button", name="Refresh").click()
    expect(signed_in.locator("#documents-updated")).to_contain_text("Nothing new")
    expect(shelf(signed_in).locator(".meta")).to_have_text("Deleting…")
    held[0].fulfill(status=500, json={"ok": False})
    expect(shelf(signed_in).locator(".problem")).to_contain_text("Not deleted.")


def test_refresh_says_what_came_of_it(signed_in: Page, person: Account, allow: Allow) -> None:
    """Issue 10: that it runs, then how many are new, that nothing is, or that it failed; shown and said."""
    allow(f"{REFUSED} 500")
    patience(signed_in, speakGap=0)
    status, said = signed_in.locator("#documents-updated"), signed_in.locator("#announcer-status")
    button = signed_in.get_by_role("button", name="Refresh")
    headers = person.site.login(person.email)
    for name in ("elsewhere.txt", "there.txt"):
        assert person.site.request("PUT", f"/api/upload/{name}", b"hello", headers)[0] == 200
    held = hold(signed_in, "**/api/documents?*")
    button.click()
    expect(status).to_have_text("Refreshing…")
    expect(button).to_have_attribute("aria-busy", "true")
    check(signed_in)
    held[0].continue_()
    expect(status).to_have_text("Updated just now · 2 new")
    expect(said).to_have_text("Updated just now · 2 new")
    expect(button).to_have_attribute("aria-busy", "false")
    signed_in.unroute("**/api/documents?*")
    button.click()
    expect(status).to_have_text("Updated just now · Nothing new")
    expect(said).to_have_text("Updated just now · Nothing new")
    signed_in.route("**/api/documents?*", lambda route: route.fulfill(status=500, json={"ok": False}))
    button.click()
    expect(status).to_have_text("Not refreshed · Last updated just now")
    expect(signed_in.locator("#announcer-alert")).to_have_text("Your files couldn't be loaded.")
    check(signed_in)
    signed_in.unroute("**/api/documents?*")
    signed_in.get_by_role("button", name="Try again").click()
    expect(status).to_have_text("Updated just now · Nothing new")
    expect(button).to_be_focused()


def test_older_files_are_announced_and_get_the_focus(signed_in: Page, person: Account, allow: Allow) -> None:
    """Issue 10: "Show older" says how many came and goes on at the first of them; a failure leaves the focus."""
    allow(f"{REFUSED} 500")
    choose(signed_in, *pdfs(60))
    expect_all(signed_in, "SUCCESS", 60)
    signed_in.evaluate("onbeforeunload = null")
    signed_in.reload()
    expect(shelf(signed_in)).to_have_count(50)
    button = signed_in.get_by_role("button", name="Show older files")
    signed_in.route("**/api/documents?*", lambda route: route.fulfill(status=500, json={"ok": False}))
    button.click()
    expect(signed_in.locator("#announcer-alert")).to_have_text("Your files couldn't be loaded.")
    expect(button).to_be_focused()
    signed_in.unroute("**/api/documents?*")
    button.click()
    expect(shelf(signed_in)).to_have_count(60)
    expect(signed_in.locator("#announcer-status")).to_have_text("10 more files")
    expect(shelf(signed_in).nth(50).locator(".name a")).to_be_focused()
    expect(button).to_be_hidden()
    check(signed_in)


def test_E1_csp(signed_in: Page, allow: Allow) -> None:
    """The page bears the strict policy, and the browser enforces it: no inline script, no HTML from text."""
    allow("CSP:", "Content Security Policy", "TrustedHTML", "violates")
    answer = signed_in.request.get("/")
    assert answer.headers["content-security-policy"] == POLICY
    inject = "() => { const s = document.createElement('div'); s.innerHTML = '<img src=x>'; }"
    with pytest.raises(Exception, match="TrustedHTML"):
        signed_in.evaluate(inject)
    signed_in.evaluate("document.body.setAttribute('style', 'color: red')")
    assert signed_in.evaluate("getComputedStyle(document.body).color") != "rgb(255, 0, 0)"


def test_E2_reflow(signed_in: Page, allow: Allow) -> None:
    """At 320 px, which is 1280 px at 400 %, nothing scrolls sideways: rows, dialogs, banner."""
    allow(REFUSED)
    signed_in.set_viewport_size({"width": 320, "height": 640})

    def fits() -> bool:
        return bool(signed_in.evaluate("document.scrollingElement.scrollWidth <= 320"))

    assert fits()
    choose(signed_in, pdf("W" * 120 + ".pdf"), pdf("many words in a row that is long.pdf"), pdf("no.exe"))
    expect_all(signed_in, "SUCCESS", 2)
    expect(shelf(signed_in)).to_have_count(2)
    assert fits()
    signed_in.get_by_role("button", name="Delete WWW").click()
    expect(signed_in.locator("#confirm")).to_be_visible()
    assert signed_in.evaluate(
        "(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)(confirm)".replace(
            "(confirm)", "(document.getElementById('confirm'))"
        )
    )
    signed_in.keyboard.press("Escape")
    expire(signed_in.context, session=True)
    choose(signed_in, pdf("late.pdf"))
    expect(signed_in.locator("#banner")).to_be_visible()
    assert fits()
