"""Issue 10, Build 5: what is kept is its owner's alone, in one tab at a time, and is emptied at sign-out."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.web.leaving import SLOW, Disk, expect_kept, kept, leave, look, offer, reload, start_slowly, wait_for_answers
from tests.web.steps import (
    REFUSED,
    Account,
    cdp,
    choose,
    expect_all,
    expect_status,
    expire,
    patience,
    pdf,
    pdfs,
    rows,
    sign_in,
    throttle,
)

Allow = Callable[..., None]


def test_another_account(signed_in: Page, person: Account, new_person: Callable[[], Account], disk: Disk) -> None:
    """Files are their owner's: whoever else signs in in the same browser is offered nothing, the owner is again."""
    bob, page = new_person(), signed_in
    start_slowly(page, disk, 3)
    expire(page.context, session=True)
    page.context.clear_cookies()
    reload(page)
    throttle(page, 0)
    sign_in(page, bob)
    expect(page.locator("#documents-empty")).to_be_visible()
    choose(page, pdf("bobs.pdf"))
    expect_status(page, "bobs.pdf", "SUCCESS")
    expect(offer(page)).to_be_hidden()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#sign-in-view")).to_be_visible()
    sign_in(page, person)
    page.get_by_role("button", name="Resume 3 files").click()
    expect_all(page, "SUCCESS", 3)
    assert (len(person.names), bob.names) == (3, ["bobs.pdf"])


def test_somebody_else_takes_over_the_page(
    signed_in: Page, person: Account, new_person: Callable[[], Account], allow: Allow
) -> None:
    """Row C5: the first user's files leave the page but stay kept; back on the same page he is offered them."""
    allow(f"{REFUSED} 401")
    page, bob = signed_in, new_person()
    expire(page.context, session=True)
    choose(page, *pdfs(2))
    expect(page.locator("#sign-in-again")).to_be_visible()
    expect_kept(page, 2)
    sign_in(page, bob)
    expect(page.locator("#who")).to_have_text(bob.email)
    expect(rows(page)).to_have_count(0)
    expect(offer(page)).to_be_hidden()
    assert len(kept(page)) == 2
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#sign-in-view")).to_be_visible()
    sign_in(page, person)
    page.get_by_role("button", name="Resume 2 files").click()
    expect_all(page, "SUCCESS", 2)
    assert (len(person.names), bob.names) == (2, [])


def test_who_comes_next_is_told_of_no_full_disk(
    signed_in: Page, new_person: Callable[[], Account], origin: str, allow: Allow
) -> None:
    """That the browser cannot keep files is said of somebody's files: it goes with them."""
    allow(f"{REFUSED} 401")
    cdp(signed_in).send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": 50_000})
    expire(signed_in.context, session=True)
    choose(signed_in, *pdfs(2, 100_000))
    expect(signed_in.locator("#sign-in-again")).to_be_visible()
    expect(signed_in.locator("#unkept")).to_be_visible()
    bob = new_person()
    sign_in(signed_in, bob)
    expect(signed_in.locator("#who")).to_have_text(bob.email)
    cdp(signed_in).send("Storage.overrideQuotaForOrigin", {"origin": origin})
    choose(signed_in, pdf("bobs.pdf"))
    expect_status(signed_in, "bobs.pdf", "SUCCESS")
    expect(signed_in.locator("#unkept")).to_be_hidden()


def test_sign_out_empties(signed_in: Page, disk: Disk, allow: Allow) -> None:
    """Who signs out leaves nothing behind: neither what this tab was sending, nor what it was offered."""
    allow(f"{REFUSED} 401")
    start_slowly(signed_in, disk, 2)
    reload(signed_in)
    expect(offer(signed_in)).to_be_visible()
    choose(signed_in, disk("more.pdf", size=200_000))
    expect_kept(signed_in, 3)
    signed_in.get_by_role("button", name="Sign out").click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    expect(signed_in.locator("#sign-in-view")).to_be_visible()
    expect(signed_in.locator("#unfinished-names")).to_be_empty()
    expect_kept(signed_in, 0)


def test_sign_out_in_another_tab_empties(signed_in: Page, person: Account, disk: Disk, allow: Allow) -> None:
    """It empties what other tabs keep, too; files that wait there are kept again once their owner is back."""
    allow(f"{REFUSED} 401")
    other = signed_in.context.new_page()
    other.goto("/")
    expect(other.locator("#documents-empty")).to_be_visible()
    start_slowly(signed_in, disk, 2)
    other.get_by_role("button", name="Sign out").click()
    expect(signed_in.locator("#sign-in-again")).to_be_visible()
    expect_kept(signed_in, 0)
    sign_in(signed_in, person)
    expect_kept(signed_in, 2)
    throttle(signed_in, 0)
    expect_all(signed_in, "SUCCESS", 2)
    expect_kept(signed_in, 0)


# Each time that the offer is shown, with what `tell(page, ...)` has said last.
RECORD = """() => { window.offers = []; window.told = '';
    const offer = document.getElementById('unfinished');
    new MutationObserver(() => offer.hidden || offers.push(told)).observe(offer, { attributeFilter: ['hidden'] }); }"""


def tell(page: Page, told: str) -> None:
    page.evaluate("(text) => { window.told = text; }", told)


def test_two_tabs(signed_in: Page, person: Account, disk: Disk) -> None:
    """What a living tab sends is not offered in another; what it leaves is offered there, and taken by one only."""
    start_slowly(signed_in, disk, 2)
    other, third = signed_in.context.new_page(), signed_in.context.new_page()
    for page in (other, third):
        page.goto("/")
        expect(page.locator("#documents-empty")).to_be_visible()
        patience(page, rollCall=3_000)  # the first tab is busy
        page.evaluate(RECORD)
        tell(page, "the first tab lives")
        look(page)
    leave(signed_in, lambda: signed_in.goto("about:blank"))
    for page in (other, third):
        tell(page, "the first tab is gone")
        look(page)
        expect(offer(page)).to_be_visible()
        assert page.evaluate("offers") == ["the first tab is gone"]
    other.get_by_role("button", name="Resume 2 files").click()
    expect(offer(third)).to_be_hidden()
    expect_all(other, "SUCCESS", 2)
    assert sorted(person.names) == ["f00.pdf", "f01.pdf"]


def test_what_is_through_is_offered_nowhere(signed_in: Page, disk: Disk) -> None:
    """A file that is stored, but lies in the browser still, is no unfinished one: not here, and in no other tab."""
    start_slowly(signed_in, disk, 2)
    other = signed_in.context.new_page()
    other.goto("/")
    expect(other.locator("#documents-empty")).to_be_visible()
    patience(signed_in, keep=600_000)
    throttle(signed_in, 0)
    expect_all(signed_in, "SUCCESS", 2)
    for page in (signed_in, other):
        look(page)
        expect(offer(page)).to_be_hidden()
    assert len(kept(signed_in)) == 2


# Come back to a tab that finds files which are not its own, and wait until it asks the others.
ASK = """() => new Promise((resolve) => {
    new BroadcastChannel('session').onmessage = ({ data }) => data.type === 'whose-files' && resolve();
    dispatchEvent(new Event('focus')); })"""


def test_what_gets_through_during_a_look_is_not_offered(signed_in: Page, disk: Disk) -> None:
    """A tab that waits for the others' answers offers nothing that it has stored and let go meanwhile."""
    other = signed_in.context.new_page()
    other.goto("/")
    expect(other.locator("#documents-empty")).to_be_visible()
    start_slowly(signed_in, disk, 1)
    throttle(other, SLOW)
    choose(other, disk("others.pdf", size=200_000))
    expect_kept(signed_in, 2)
    patience(signed_in, rollCall=3_000)
    signed_in.evaluate(ASK)
    throttle(signed_in, 0)
    expect_all(signed_in, "SUCCESS", 1)
    expect_kept(signed_in, 1)
    wait_for_answers(signed_in)
    expect(offer(signed_in)).to_be_hidden()


def test_ended_session_keeps(signed_in: Page, person: Account, disk: Disk) -> None:
    """A session that merely ended takes nothing away: after the sign-in the files are offered."""
    start_slowly(signed_in, disk, 2)
    signed_in.context.clear_cookies()
    leave(signed_in, signed_in.reload)
    expect(signed_in.locator("#sign-in-view")).to_be_visible()
    throttle(signed_in, 0)
    sign_in(signed_in, person)
    signed_in.get_by_role("button", name="Resume 2 files").click()
    expect_all(signed_in, "SUCCESS", 2)
    assert len(person.names) == 2
