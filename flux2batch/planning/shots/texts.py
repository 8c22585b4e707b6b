"""Texts of a job that are rendered for many shots, each as seldom as possible.

A text is taken apart at its tags. Each piece is rendered once for every combination of the values that it names, so
that a path of five axes costs a few look-ups a shot and not five renderings. Where the tags are more than single
expressions (loops, conditions, trimmed white space) it stays in one piece.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, TypeVar

from flux2batch.planning.shots.names import Moment, Names, View
from flux2batch.planning.sweep.grid import key_of
from flux2batch.planning.templates.faults import TemplateFault
from flux2batch.planning.templates.meter import MAX_OUTPUT
from flux2batch.planning.templating import Template, TemplateFolder, compile_template

Kept = TypeVar("Kept")

_KEPT = 4096
"""Renderings that one piece keeps."""


def remembered(
    view: View, positions: tuple[int, ...], make: Callable[[Moment], Kept], *, keep: int = _KEPT
) -> Callable[[Moment], Kept]:
    """`make`, called once for every combination of what the view depends on; `positions` are the columns behind it.

    What depends on the index differs with every shot, and is not kept.
    """
    if view.index:
        return make
    if not positions and not view.seed and not view.repeat:
        return _once(make)
    pick = key_of(positions)
    kept: dict[Any, Kept] = {}

    def for_point(moment: Moment) -> Kept:
        key = pick(moment.point)
        found = kept.get(key)
        if found is None:
            if len(kept) >= keep:
                kept.clear()
            found = kept[key] = make(moment)
        return found

    def for_repeat(moment: Moment) -> Kept:
        key = (pick(moment.point), moment.seed if view.seed else None, moment.repeat if view.repeat else None)
        found = kept.get(key)
        if found is None:
            if len(kept) >= keep:
                kept.clear()
            found = kept[key] = make(moment)
        return found

    return for_repeat if view.seed or view.repeat else for_point


class Text:
    """One template, as text or as a path."""

    def __init__(
        self,
        text: str,
        *,
        names: Names,
        given_positions: tuple[int, ...],
        given: View,
        folder: TemplateFolder | None,
        kind: Literal["text", "path"],
    ) -> None:
        self.whole = compile_template(text, folder=folder, kind=kind)
        self.names = self.whole.names
        pieces = _pieces(self.whole, folder, kind)
        self._pieces = [_renderer(piece, names, given_positions, given) for piece in pieces]
        self._whole_view = names.view(self.whole.names)

    def render(self, moment: Moment) -> str:
        """The text for this shot; TemplateFault, in characters of the whole text, where it cannot be made."""
        try:
            rendered = "".join([piece(moment) for piece in self._pieces])
        except TemplateFault:
            return self._in_one_piece(moment)
        return rendered if len(rendered) <= MAX_OUTPUT else self._in_one_piece(moment)

    def _in_one_piece(self, moment: Moment) -> str:
        return self.whole.render(self._whole_view.scope(moment))


def depends_on(view: View, given_positions: tuple[int, ...]) -> tuple[int, ...]:
    """The columns behind a view: those that it names, and those behind the request where it names a part of that."""
    return tuple(sorted({*view.positions, *(given_positions if view.needs_given else ())}))


def _renderer(
    piece: Template | str, names: Names, given_positions: tuple[int, ...], given: View
) -> Callable[[Moment], str]:
    if isinstance(piece, str):
        return lambda _: piece
    view = names.view(piece.names)
    scope, render = view.scope, piece.render
    behind = widened(view, given)
    return remembered(behind, depends_on(view, given_positions), lambda moment: render(scope(moment)))


def widened(view: View, given: View) -> View:
    """A text that names a parameter depends on the repeat or the index where the parameter does."""
    if not view.needs_given or not (given.repeat or given.index):
        return view
    return replace(view, repeat=view.repeat or given.repeat, index=view.index or given.index)


def _once(make: Callable[[Moment], Kept]) -> Callable[[Moment], Kept]:
    kept: list[Kept] = []

    def once(moment: Moment) -> Kept:
        if not kept:
            kept.append(make(moment))
        return kept[0]

    return once


_EXPRESSION = re.compile(r"\{\{(?![-+])((?:[^{}'\"%#]|'[^'\\{}]*'|\"[^\"\\{}]*\")*)(?<![-+])\}\}")


def _pieces(template: Template, folder: TemplateFolder | None, kind: Literal["text", "path"]) -> list[Template | str]:
    text = template.text
    if template.is_static:
        return [text]
    tags = list(_EXPRESSION.finditer(text))
    ends = [0, *(tag.end() for tag in tags)]
    plain = [text[end:start] for end, start in zip(ends, [*(tag.start() for tag in tags), len(text)], strict=True)]
    # Anything that looks like a tag outside of these expressions: better whole than wrong.
    if any(re.search(r"\{[{%#]|[}%#]\}", words) for words in plain):
        return [template]
    pieces: list[Template | str] = [plain[0]]
    for tag, words in zip(tags, plain[1:], strict=True):
        pieces += [compile_template(tag[0], folder=folder, kind=kind), words]
    return [piece for piece in pieces if piece != ""]
