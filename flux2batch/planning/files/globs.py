"""Find the files that match a pattern, within bounds that do not depend on the speed of the machine."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fnmatch import translate

from flux2batch.planning.files.directories import Directory

MAX_VISITED = 100_000
"""Names looked at by one search. A bound in seconds would give a slow machine another plan than a fast one."""

MAX_DEPTH = 64

Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a search found: paths as names, in the order in which a person would list them."""

    files: tuple[Parts, ...]
    links: tuple[Parts, ...]  # matching symlinks; none is followed
    gave_up: bool


def search(top: Directory, pattern: Parts, *, ignore_case: bool = False) -> Search:
    """All files below `top` that match the pattern, one name of it for each level. Closes `top`."""
    run = _Run(ignore_case=ignore_case)
    run.visit(top, (), pattern)
    return Search(
        files=tuple(sorted(run.files, key=_order)),
        links=tuple(sorted(run.links, key=_order)),
        gave_up=run.visited > MAX_VISITED,
    )


class _Run:
    def __init__(self, *, ignore_case: bool) -> None:
        self.files: set[Parts] = set()
        self.links: set[Parts] = set()
        self.visited = 0
        self._flags = re.IGNORECASE if ignore_case else 0

    def visit(self, here: Directory, path: Parts, pattern: Parts) -> None:
        try:
            self._visit(here, path, pattern)
        finally:
            here.close()

    def _visit(self, here: Directory, path: Parts, pattern: Parts) -> None:
        if not pattern or len(path) > MAX_DEPTH:
            return
        deep = pattern[0] == "**"
        # "**" alone at the end means every file below; before another name it means any number of folders.
        wanted = next((name for name in pattern if name != "**"), "*")
        rest = _after(pattern)
        matches = re.compile(translate(wanted), self._flags).match
        shows_hidden = wanted.startswith(".")

        folders: list[tuple[str, Parts]] = []
        for name, kind in self._entries(here):
            hidden = name.startswith(".")
            hit = (shows_hidden or not hidden) and matches(name) is not None
            if kind == "folder":
                if deep and not hidden:
                    folders.append((name, pattern))
                if hit and rest:
                    folders.append((name, rest))
            elif hit and kind == "link":
                self.links.add((*path, name))
            elif hit and kind == "file" and not rest:
                self.files.add((*path, name))

        for name, onward in folders:
            if self.visited > MAX_VISITED:
                return
            try:
                inner = here.enter(name)
            except OSError:
                continue  # unreadable, or no longer the folder it was
            self.visit(inner, (*path, name), onward)

    def _entries(self, here: Directory) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        try:
            for name, kind in here.entries():
                self.visited += 1
                if self.visited > MAX_VISITED:
                    break
                found.append((name, kind))
        except OSError:
            return found
        return found


def _after(pattern: Parts) -> Parts:
    """The pattern behind its first name that is not `**`."""
    for index, name in enumerate(pattern):
        if name != "**":
            return pattern[index + 1 :]
    return ()


def _order(parts: Parts) -> Parts:
    # macOS may hand out the same name decomposed: the order must not depend on it.
    return tuple(unicodedata.normalize("NFC", part) for part in parts)
