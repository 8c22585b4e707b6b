"""A real Chromium for the tests of the sheet's page, and a watch over everything that a page must not do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from chromium import chromium
from make_sheet import Sheet

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-pings")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for the worker. Without one the tests are skipped, but never in CI."""
    missing = pytest.fail if os.environ.get("CI") else pytest.skip
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed: make test installs it")
    path = chromium()
    if path is None:
        missing("no Chromium is here: make browser installs one")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield started
        started.close()


@dataclass
class Watch:
    """What a page did that it must not do."""

    folder: Path
    broken: list[str] = field(default_factory=list)

    def over(self, page: Any) -> None:
        """Listen to a page."""
        page.on("console", lambda message: self.broken.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda fault: self.broken.append(f"error: {fault.stack or fault}"))
        page.on("dialog", lambda dialog: (self.broken.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", self._asked)
        page.on("requestfailed", self._failed)

    def _failed(self, request: Any) -> None:
        # A page that goes on to the next picture, or is loaded again, lets go of what it was waiting for.
        if request.failure != "net::ERR_ABORTED":
            self.broken.append(f"failed: {request.url[:200]} {request.failure}")

    def _asked(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("data", "blob"):
            return
        path = Path(os.path.normpath(unquote(parts.path)))
        if parts.scheme != "file" or not path.is_relative_to(self.folder):
            self.broken.append(f"request: {request.url[:200]}")


Open = Callable[..., Any]


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A browser that remembers nothing of other tests."""
    made = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    made.set_default_timeout(10_000)
    yield made
    made.close()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Fails the test when a page said something, broke, or asked for anything but files of its own folder."""
    watching = Watch(folder=tmp_path)
    yield watching
    assert watching.broken == []


@pytest.fixture
def open_page(context: Any, watch: Watch) -> Open:
    """Open a page from disk, as a person does: open_page(path, "#x=steps")."""

    def opened(page_file: Path, address: str = "", **size: int) -> Any:
        page = context.new_page()
        if size:
            page.set_viewport_size({"width": 1280, "height": 800, **size})
        watch.over(page)
        page.goto(page_file.as_uri() + address)
        page.wait_for_selector("html[data-ready]")
        return page

    return opened


@pytest.fixture
def open_sheet(open_page: Open, tmp_path: Path) -> Open:
    """Write a sheet and open it: open_sheet(experiment(), "#x=steps")."""

    def opened(sheet: Sheet, address: str = "", *, faces: int = 3, originals: bool = True, **size: int) -> Any:
        return open_page(sheet.write(tmp_path / "sheet", faces=faces, originals=originals), address, **size)

    return opened
