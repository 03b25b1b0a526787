"""The account page in Firefox and in WebKitGTK (issue 11): one short flow through its forms, dialogs and lists."""

import re

from tests.support.browsers import ENTER, Browser
from tests.support.clock import eventually
from tests.web.steps import Account
from tests.web.test_browsers import FOCUSED, TEXT, inside, tab, window

__all__ = ["inside", "tab", "window"]  # fixtures

VALUE = "(selector) => document.querySelector(selector).value"
AMOUNT = ".storage .amount"


def test_a_token_is_made_seen_once_and_revoked(inside: Browser, person: Account) -> None:
    """By name and Enter; what is listed and what is left of the storage are there, too."""
    inside.click("[data-page=account]")
    inside.wait_for(AMOUNT)
    assert inside.evaluate(TEXT, AMOUNT) == "0 bytes used"
    inside.wait_for(".sessions .here")
    inside.click("#token-name")
    inside.type("laptop")
    inside.press(ENTER)
    inside.wait_for("#token-text")
    assert re.fullmatch("ups_[0-9a-f]{64}", inside.evaluate(VALUE, "#token-text"))
    assert inside.evaluate(VALUE, "#token-command").endswith("sha256sum -c --strict")
    inside.click(".finish")
    assert eventually(lambda: inside.evaluate(FOCUSED) == "token-name")
    assert inside.evaluate(VALUE, "#token-text") == ""
    inside.click(".tokens .revoke")
    inside.wait_for("#confirm-yes")
    inside.click("#confirm-yes")
    inside.wait_for(".tokens .none")
    assert eventually(lambda: inside.evaluate(FOCUSED) == "tokens-h")
