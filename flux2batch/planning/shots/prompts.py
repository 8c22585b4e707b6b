"""The prompts of a job: text, a file, or a mapping that is sent as JSON; one, or one a value of the axis `prompt`."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flux2batch.planning.files.folder import FileFault, JobFolder
from flux2batch.planning.shots.names import Moment, Names, View
from flux2batch.planning.shots.settings import filled, leaves_of
from flux2batch.planning.shots.texts import Text
from flux2batch.planning.templates.faults import TemplateFault
from flux2batch.planning.templating import Template, TemplateFolder, compile_template
from flux2batch.reading.document import Document
from flux2batch.reading.problems import Place, Problem, Steps, error


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A text of the job with its place: in the job file, or in a file that it names."""

    text: str
    steps: Steps
    file: str | None
    document: Document

    def place(self, start: int, end: int) -> Place | None:
        """Where these characters of it stand."""
        if self.file is None:
            return self.document.inside(self.steps, start, end)
        before = self.text[:start]
        line = before.count("\n") + 1
        column = start - (before.rfind("\n") + 1) + 1
        lines = self.text.split("\n")
        return Place(
            file=self.file,
            line=line,
            column=column,
            end_line=line,
            end_column=min(column + max(1, end - start), len(lines[line - 1]) + 1),
            line_text=lines[line - 1],
        )

    def problem(self, fault: TemplateFault) -> Problem:
        """A fault of the text, where it stands."""
        where = self.place(fault.start, fault.end)
        return error(fault.code, fault.message, where=where, steps=self.steps, help=fault.help)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One text of a prompt with its compiled template."""

    way: Steps
    source: Source
    template: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSource:
    """A prompt as written, its templates compiled."""

    written: Any
    leaves: tuple[Leaf, ...]
    steps: Steps

    @property
    def names(self) -> frozenset[str]:
        """The names that it uses."""
        return frozenset().union(*(leaf.template.names for leaf in self.leaves))

    @property
    def is_structured(self) -> bool:
        """Whether it is a mapping."""
        return isinstance(self.written, Mapping)


class BrokenLeaf(Exception):
    """A text of a prompt that cannot be rendered, as a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Prompt:
    """A prompt that can be rendered for a shot."""

    def __init__(
        self,
        source: PromptSource,
        *,
        names: Names,
        given_positions: tuple[int, ...],
        given: View,
        folder: TemplateFolder,
    ) -> None:
        self.source = source
        self._names = names
        self._text: Text | None = None
        if not source.is_structured:
            self._text = Text(
                source.written,
                names=names,
                given_positions=given_positions,
                given=given,
                folder=folder,
                kind="text",
            )

    def render(self, moment: Moment) -> str:
        """The text that is sent; raises BrokenLeaf."""
        if self._text is None:
            return self._structured(moment)
        try:
            return self._text.render(moment)
        except TemplateFault as fault:
            raise BrokenLeaf(self.source.leaves[0].source.problem(fault)) from None

    def _structured(self, moment: Moment) -> str:
        made = {}
        for leaf in self.source.leaves:
            try:
                made[leaf.way] = leaf.template.value(self._names.view(leaf.template.names).scope(moment))
            except TemplateFault as fault:
                raise BrokenLeaf(leaf.source.problem(fault)) from None
        # In the order in which it is written: a model reads it as text.
        return json.dumps(filled(self.source.written, made), ensure_ascii=False)


def read_prompt(
    written: Any, steps: Steps, *, document: Document, folder: JobFolder, templates: TemplateFolder
) -> tuple[PromptSource | None, tuple[Problem, ...]]:
    """A prompt in any of its forms, or what is wrong with it."""
    if isinstance(written, Mapping) and set(written) == {"file"} and isinstance(written["file"], str):
        source, problem = _from_file(written["file"], (*steps, "file"), document, folder)
        if source is None:
            return None, (problem,) if problem else ()
        return _compiled(source.text, [((), source)], steps, templates)
    sources = [
        (way, Source(text=text, steps=(*steps, *way), file=None, document=document)) for way, text in leaves_of(written)
    ]
    return _compiled(written, sources, steps, templates)


def _compiled(
    written: Any, sources: list[tuple[Steps, Source]], steps: Steps, templates: TemplateFolder
) -> tuple[PromptSource | None, tuple[Problem, ...]]:
    leaves: list[Leaf] = []
    problems: list[Problem] = []
    for way, source in sources:
        try:
            template = compile_template(source.text, folder=templates, kind="text")
        except TemplateFault as fault:
            problems.append(source.problem(fault))
            continue
        leaves.append(Leaf(way=way, source=source, template=template))
    return (None if problems else PromptSource(written=written, leaves=tuple(leaves), steps=steps)), tuple(problems)


def _from_file(path: str, steps: Steps, document: Document, folder: JobFolder) -> tuple[Source | None, Problem | None]:
    opened = folder.open(path)
    where = document.place(steps)
    if isinstance(opened, FileFault):
        return None, error(opened.code, opened.message, where=where, steps=steps, help=opened.help)
    try:
        text = opened.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None, error("FB302", f"'{path}' is not UTF-8 text", where=where, steps=steps, help="save it as UTF-8")
    # An editor's last line ends; a prompt does not.
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    beside = posixpath.dirname(document.name.replace("\\", "/"))
    shown = posixpath.normpath(posixpath.join(beside, path))
    return Source(text=text, steps=steps, file=shown, document=document), None
