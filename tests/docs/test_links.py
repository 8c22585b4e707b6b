"""Every link of every page leads somewhere, and every page is found from the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from page_blocks import PAGES, ROOT

_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
_FENCED = re.compile(r"^( *)(`{3,}).*?^\1\2$", re.MULTILINE | re.DOTALL)


def prose(path: Path) -> str:
    return _FENCED.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """The anchors of the headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def led_to(path: Path) -> list[tuple[Path, str]]:
    targets = (link.partition("#") for link in _LINK.findall(prose(path)))
    return [((path.parent / name).resolve() if name else path, anchor) for name, _, anchor in targets]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(path: Path) -> None:
    dead = [
        f"{target.relative_to(ROOT)}#{anchor}"
        for target, anchor in led_to(path)
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target))
    ]

    assert dead == []


def test_every_page_is_found_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    found = {target for target, _ in led_to(index)}

    assert {path.name for path in PAGES if path not in found | {index, ROOT / "README.md"}} == set()


def test_every_page_of_the_documents_is_in_the_site() -> None:
    """If this fails: name the page in mkdocs.yml."""
    listed = set(re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    docs = ROOT / "docs"

    assert listed == {path.relative_to(docs).as_posix() for path in PAGES if path.is_relative_to(docs)}
