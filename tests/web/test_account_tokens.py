"""The account page's API tokens (issue 11): made, shown once with a command that works, and revoked."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.support.bodies import PDF
from tests.test_scripts import RECIPES
from tests.web.account import login, open_account, part, status_of
from tests.web.steps import REFUSED, UNREACHED, Account, expire, lose
from tests.web.test_accessibility import check
from tests.web.test_pages import go

Allow = Callable[..., None]
COPIED = "() => navigator.clipboard.readText()"


def make(page: Page, name: str, scope: str = "Upload only", term: str = "1 year") -> None:
    form = page.get_by_role("form", name="New token")
    form.get_by_label("Name", exact=True).fill(name)
    form.get_by_label(scope).check()
    form.get_by_label("Good for").select_option(term)
    form.get_by_role("button", name="Make token").click()


def test_a_token_is_shown_once_and_its_command_works(
    signed_in: Page, person: Account, origin: str, tmp_path: Path
) -> None:
    """The line is that of docs/scripts.md and sends a file as it stands; then the token is nowhere in the page."""
    signed_in.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_account(signed_in)
    tokens = part(signed_in, "API tokens")
    expect(tokens).to_contain_text("No tokens yet.")
    make(signed_in, "  scanner שלום  ")
    heading = signed_in.get_by_role("heading", name="The token “scanner שלום” is made")
    expect(heading).to_be_focused()
    expect(signed_in.get_by_role("form", name="New token")).to_be_hidden()
    text, command = signed_in.get_by_label("Token", exact=True), signed_in.get_by_label("Send a file with it")
    expect(text).to_have_accessible_description(re.compile("^It is shown only now"))
    check(signed_in)

    token, line = text.input_value(), command.input_value()
    assert re.fullmatch(r"ups_[0-9a-f]{64}", token)
    recipe = RECIPES["one"].strip()
    assert line == recipe.replace("@token.txt", f"'Authorization: Bearer {token}'").replace("$URL", origin)
    (tmp_path / "report.pdf").write_bytes(PDF)
    sent = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (sent.returncode, sent.stdout, sent.stderr) == (0, "report.pdf: OK\n", "")
    assert person.names == ["report.pdf"]

    for button, copied, expected in (("Copy token", "Token copied", token), ("Copy command", "Command copied", line)):
        signed_in.get_by_role("button", name=button).click()
        expect(signed_in.locator("#notices")).to_contain_text(copied)
        assert signed_in.evaluate(COPIED) == expected
    signed_in.evaluate("() => Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    signed_in.get_by_role("button", name="Copy token").click()
    expect(text).to_be_focused()
    expect(signed_in.locator("#notices")).to_contain_text("It is selected: copy it by hand.")
    assert signed_in.evaluate("() => getSelection().toString()") == token

    fields = [text.element_handle(), command.element_handle()]
    signed_in.get_by_role("button", name="Done").click()
    expect(signed_in.get_by_label("Name", exact=True)).to_be_focused()
    expect(signed_in.get_by_label("Name", exact=True)).to_have_value("")
    assert [field.evaluate("(field) => field.value") for field in fields if field] == ["", ""]
    assert token not in signed_in.content()
    make(signed_in, "other")
    expect(text).not_to_have_value("")
    other = text.element_handle()
    go(signed_in, "Files")
    expect(signed_in.locator("#account-view")).to_have_count(0)
    assert other
    assert other.evaluate("(field) => field.value") == ""


def test_tokens_are_listed_and_revoked(signed_in: Page, person: Account, allow: Allow) -> None:
    """What each may do and until when; Cancel gives the focus back, a revoked one hands it on; gone is gone."""
    allow(f"{REFUSED} 40[14]")
    open_account(signed_in)
    tokens = part(signed_in, "API tokens")
    rows = tokens.get_by_role("listitem")
    secrets = {}
    for name, scope, term in (
        ("laptop", "Upload only", "30 days"),
        ("archive", "All of your files", "No end"),
        ("last", "Upload only", "90 days"),
    ):
        make(signed_in, name, scope, term)
        expect(rows.first).to_contain_text(name)
        secrets[name] = {"Authorization": f"Bearer {signed_in.get_by_label('Token', exact=True).input_value()}"}
        if name != "last":
            signed_in.get_by_role("button", name="Done").click()
    assert status_of(person, secrets["archive"]) == 200
    assert status_of(person, secrets["laptop"]) == 403
    signed_in.reload()
    expect(rows.locator(".name")).to_have_text(["last", "archive", "laptop"])
    expect(rows.locator(".meta")).to_have_text([
        re.compile(r"^Upload only · Made today · Never used · Ends \d+ \w+ \d{4}$"),
        "All of your files · Made today · Last used just now · No end",
        re.compile(r"^Upload only · Made today · (Never used|Last used just now) · Ends \d+ \w+ \d{4}$"),
    ])  # fmt: skip
    revoke = tokens.get_by_role("button", name="Revoke archive")
    revoke.click()
    dialog = signed_in.get_by_role("dialog", name="Revoke archive?")
    expect(dialog).to_have_accessible_description(re.compile("refused from now on"))
    check(signed_in)
    signed_in.keyboard.press("Escape")
    expect(revoke).to_be_focused()
    revoke.click()
    dialog.get_by_role("button", name="Revoke").click()
    expect(rows).to_have_count(2)
    expect(tokens.get_by_role("button", name="Revoke laptop")).to_be_focused()
    expect(signed_in.locator("#notices")).to_have_text("archive revoked")
    assert status_of(person, secrets["archive"]) == 401

    allow(UNREACHED)
    signed_in.route("**/api/tokens/*", lose, times=1)
    again = tokens.get_by_role("button", name="Revoke laptop")
    again.click()
    signed_in.locator("#confirm-yes").click()
    expect(rows.last.get_by_role("alert")).to_have_text("Not revoked. The connection was interrupted.")
    again.click()  # there is no such token any more
    signed_in.locator("#confirm-yes").click()
    expect(rows).to_have_count(1)
    expect(tokens.get_by_role("button", name="Revoke last")).to_be_focused()
    tokens.get_by_role("button", name="Revoke last").click()
    signed_in.locator("#confirm-yes").click()
    expect(signed_in.get_by_role("heading", name="API tokens")).to_be_focused()
    expect(tokens).to_contain_text("No tokens yet.")


def test_what_keeps_a_token_from_being_made_is_told(signed_in: Page, person: Account, allow: Allow) -> None:
    """A name that is none, a lost answer, a hundred tokens, a session that has ended; nothing typed is lost."""
    allow(f"{REFUSED} 40[01]", UNREACHED)
    open_account(signed_in)
    tokens = part(signed_in, "API tokens")
    form = signed_in.get_by_role("form", name="New token")
    name, problem = form.get_by_label("Name", exact=True), form.locator(".error")
    for wrong, sentence in (
        ("  ", "Give the token a name."),
        ("a\u202eb", "A name has letters, digits, signs and plain spaces only."),
        ("a\u00a0b", "A name has letters, digits, signs and plain spaces only."),
    ):
        make(signed_in, wrong)
        expect(name).to_be_focused()
        expect(name).to_have_accessible_description(re.compile(f"^{re.escape(sentence)}"))
    check(signed_in)
    signed_in.route("**/api/tokens", lose, times=1)
    make(signed_in, "unsure", "All of your files", "No end")
    expect(problem).to_contain_text("If the token is in the list, revoke it and make another.")
    expect(tokens.get_by_role("listitem")).to_contain_text(["unsure"])
    expect(name).to_have_value("unsure")
    expect(form.get_by_label("All of your files")).to_be_checked()

    headers = login(person) | {"Content-Type": "application/json"}
    for number in range(99):
        assert person.site.request("POST", "/api/tokens", b'{"name": "n%d"}' % number, headers)[0] == 200
    make(signed_in, "one more")
    expect(problem).to_have_text("You have 100 tokens already. Revoke some that nobody uses.")
    expire(signed_in.context, session=True)
    make(signed_in, "one more")
    expect(signed_in.get_by_role("dialog", name="Sign in again")).to_be_visible()
    signed_in.locator("#password").fill(person.password)
    signed_in.keyboard.press("Enter")
    expect(signed_in.get_by_role("dialog", name="Sign in again")).to_be_hidden()
    expect(problem).to_have_text("You have to sign in first.")
    expect(name).to_have_value("one more")
    expect(tokens.get_by_role("listitem")).to_have_count(100)
