"""The page of a service that keeps its files in a bucket: the browser fetches them from another origin."""

import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from tests.support.engines import Live, start_live
from tests.support.s3 import Store
from tests.web.steps import choose, pdf


@pytest.fixture(scope="module")
def site(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    running = start_live(tmp_path_factory.mktemp("site"), **store.environ(store.bucket()))
    yield running
    running.stop(signal.SIGKILL)


def test_a_download_from_the_store_keeps_the_name_and_the_page(
    signed_in: Page, store: Store, allow: Callable[..., None]
) -> None:
    """The page's policy lets the redirect through, and the name is what was uploaded."""
    allow(store.endpoint)
    name, before = "Übersicht & Preise, 100 %.pdf", signed_in.url
    choose(signed_in, pdf(name))
    with signed_in.expect_download() as download:
        signed_in.get_by_role("link", name=f"Download {name}").click()
    assert download.value.url.startswith(store.endpoint)
    assert download.value.suggested_filename.replace("_", "%") == name
    assert download.value.path().read_bytes() == pdf(name)["buffer"]
    assert signed_in.url == before
