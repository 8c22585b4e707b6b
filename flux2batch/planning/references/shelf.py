"""The references of a job: every file read, judged and hashed once, however many shots it goes with."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from flux2batch.planning.files.folder import FileFault, JobFolder
from flux2batch.planning.references import collage as boards
from flux2batch.planning.references import recipes
from flux2batch.planning.references.decoding import examine
from flux2batch.planning.references.formats import Flaw
from flux2batch.planning.references.looking import Looker
from flux2batch.planning.references.recent import Recent
from flux2batch.planning.references.recipes import Source
from flux2batch.planning.references.swatch import colour_of
from flux2batch.planning.references.urls import is_url, judge_url
from flux2batch.planning.shot import Reference
from flux2batch.reading.job import ReferenceSource
from flux2batch.reading.problems import Place, Problem, error, warning

_RECENT_BYTES = 64 * 1024 * 1024


class _AsWritten:
    """No rendered value was given: the job's own text is taken."""


_AS_WRITTEN = _AsWritten()

_Made = list[Reference | FileFault]
_Answer = tuple[tuple[Reference, ...], tuple[FileFault, ...], tuple[FileFault, ...]]  # pictures, faults, warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A local file that would leave the machine, as the plan lists it before anything is sent."""

    path: str
    absolute: str
    file_bytes: int
    width: int
    height: int
    remarks: tuple[str, ...]  # what is done to it on the way


class ReferenceShelf:
    """The pictures of one job. Hashes and sizes stay in memory, and of the bytes only those that were sent last."""

    def __init__(self, folder: JobFolder, *, looker: Looker | None = None) -> None:
        self.folder = folder
        self._looker = looker  # None: URLs are handed on unseen
        self.given: dict[str, bytes] = {}  # pictures that were handed over in Python, by digest
        self.recent = Recent(max_bytes=_RECENT_BYTES)
        self._files: dict[str, Source | FileFault] = {}  # by path
        self._by_absolute: dict[str, Source] = {}
        self._answers: dict[tuple[object, ...], _Answer] = {}

    def resolve(
        self,
        source: ReferenceSource,
        *,
        path: object = _AS_WRITTEN,
        glob: object = _AS_WRITTEN,
        color: object = _AS_WRITTEN,
        collage: object = _AS_WRITTEN,
        where: Place | None = None,
    ) -> tuple[tuple[Reference, ...], tuple[Problem, ...]]:
        """The pictures of one reference whose value is rendered: none, one or several, in their order.

        Give the rendered value of the source that is set: text, or a list where several may stand. Problems have
        `where` as their place. One that is optional and renders to nothing has neither pictures nor problems.
        """
        kind, value = _rendered(source, {"path": path, "glob": glob, "color": color, "collage": collage})
        key = (source, kind, tuple(value) if isinstance(value, list) else value)
        try:
            answer = self._answers.get(key)
        except TypeError:  # a mapping came out of a template: no text, and not worth remembering
            answer = self._answer(source, kind, value)
        if answer is None:
            answer = self._answers[key] = self._answer(source, kind, value)

        pictures, faults, notices = answer
        errors = (error(f.code, f.message, where=where, steps=source.steps, help=f.help) for f in faults)
        warnings = (warning(f.code, f.message, where=where, steps=source.steps, help=f.help) for f in notices)
        return pictures, (*errors, *warnings)

    def uploads(self, references: Iterable[Reference]) -> tuple[Upload, ...]:
        """The local files behind these references, each once, in the order of their first use."""
        absolutes = dict.fromkeys(absolute for reference in references for absolute in reference.sources)
        return tuple(_upload(self._by_absolute[absolute]) for absolute in absolutes)

    def keep(self, content: bytes, *, name: str, source: str, absolute: str | None) -> Reference | FileFault:
        """A picture that was handed over as bytes, with or without a file. They stay in memory as the shelf does."""
        examined = examine(content)
        if isinstance(examined, Flaw):
            return _of_file(source, examined)
        kept = recipes.source_of(content, path=source, absolute=absolute or "", examined=examined)
        if absolute:
            self._by_absolute[absolute] = kept
        reference = recipes.from_file(name, kept, kind="file" if absolute else "bytes")
        self.given[reference.digest] = content
        return reference

    def _answer(self, source: ReferenceSource, kind: str, value: object) -> _Answer:
        texts = _texts(value)
        if texts is None:
            return (), (_no_text(source, kind, value),), ()
        if not texts:
            return (), () if source.optional else (_nothing(source),), ()
        make: Mapping[str, Callable[[ReferenceSource, Sequence[str]], _Made]] = {
            "path": self._paths,
            "glob": self._globs,
            "color": _colours,
            "collage": self._collage,
        }
        made = make[kind](source, texts)
        faults = tuple(dict.fromkeys(one for one in made if isinstance(one, FileFault)))
        if faults:
            return (), faults, ()
        pictures = tuple(one for one in made if isinstance(one, Reference))
        return pictures, (), self._notices(pictures)

    def _paths(self, source: ReferenceSource, paths: Sequence[str]) -> _Made:
        return [self._path(source.name, path) for path in paths]

    def _path(self, name: str, path: str) -> Reference | FileFault:
        if is_url(path):
            return judge_url(path) or self._url(name, path)
        file = self._file(path)
        return file if isinstance(file, FileFault) else recipes.from_file(name, file)

    def _url(self, name: str, url: str) -> Reference | FileFault:
        seen = self._looker.look(url) if self._looker else None
        return seen if isinstance(seen, FileFault) else recipes.from_url(name, url, seen)

    def _globs(self, source: ReferenceSource, patterns: Sequence[str]) -> _Made:
        made: _Made = []
        for pattern in patterns:
            found = self.folder.glob(pattern, source.max)
            if not isinstance(found, FileFault):
                made.extend(self._path(source.name, path) for path in found)
            elif found.code != "FB402" or not source.optional:
                made.append(found)
        return made[: source.max]

    def _collage(self, source: ReferenceSource, paths: Sequence[str]) -> _Made:
        if len(paths) > boards.MAX_PICTURES:
            return [_crowded(source, len(paths))]
        if any(is_url(path) for path in paths):
            return [_remote_collage(source)]
        files = [self._file(path) for path in paths]
        faults: _Made = [file for file in files if isinstance(file, FileFault)]
        return faults or [recipes.from_collage(source.name, [file for file in files if isinstance(file, Source)])]

    def _file(self, path: str) -> Source | FileFault:
        key = posixpath.normpath(path)
        if key not in self._files:
            self._files[key] = self._read(path)
        return self._files[key]

    def _read(self, path: str) -> Source | FileFault:
        file = self.folder.open(path)
        if isinstance(file, FileFault):
            return file
        examined = examine(file.content)
        if isinstance(examined, Flaw):
            return _of_file(file.path, examined)
        source = recipes.source_of(file.content, path=file.path, absolute=file.absolute, examined=examined)
        self._by_absolute[source.absolute] = source
        return source

    def _notices(self, pictures: Iterable[Reference]) -> tuple[FileFault, ...]:
        absolutes = dict.fromkeys(absolute for picture in pictures for absolute in picture.sources)
        return tuple(notice for absolute in absolutes for notice in _losses(self._by_absolute[absolute]))


def _rendered(source: ReferenceSource, values: Mapping[str, object]) -> tuple[str, object]:
    """Which source is set, and its value."""
    for kind, value in values.items():
        if value is not _AS_WRITTEN:
            return kind, value
    written = {"path": source.path, "glob": source.glob, "color": source.color, "collage": source.collage}
    return next(((kind, value) for kind, value in written.items() if value is not None), ("path", None))


def _texts(value: object) -> tuple[str, ...] | None:
    """The texts of a rendered value, without the empty ones: the empty cells of a table. None where it is no text."""
    values = value if isinstance(value, list | tuple) else (value,)
    if any(isinstance(one, bool) or not isinstance(one, str | int | float | None) for one in values):
        return None
    return tuple(str(one).strip() for one in values if one is not None and str(one).strip())


def _colours(source: ReferenceSource, texts: Sequence[str]) -> _Made:
    return [_colour(source.name, text) for text in texts]


def _colour(name: str, text: str) -> Reference | FileFault:
    colour = colour_of(text)
    if colour is not None:
        return recipes.from_colour(name, colour)
    meant = colour_of(f"#{text}")
    help = f'write "{meant}", with quotes' if meant else 'write it as "#0047AB", with quotes'
    return FileFault(code="FB410", message=f"'{text}' is not a colour", help=help)


def _upload(source: Source) -> Upload:
    examined = source.examined
    remarks = {
        "turned upright": examined.is_turned,
        "CMYK brought to RGB": examined.is_cmyk,
        "16 bits brought to 8": examined.is_deep,
    }
    return Upload(
        path=source.path,
        absolute=source.absolute,
        file_bytes=source.file_bytes,
        width=examined.width,
        height=examined.height,
        remarks=tuple(remark for remark, applies in remarks.items() if applies),
    )


def _losses(source: Source) -> Iterable[FileFault]:
    """What is lost on the way although the picture is taken."""
    if source.examined.is_cmyk:
        how = "" if source.examined.has_profile else ", by guess, for it has no colour profile"
        yield FileFault(
            code="FB407",
            message=f"'{source.path}' is a CMYK picture for print: its colours are brought to RGB{how}",
            help="export it as RGB to see its colours yourself",
        )
    if source.examined.is_deep:
        yield FileFault(code="FB407", message=f"'{source.path}' has 16 bits a colour, of which 8 are sent", help=None)


def _of_file(path: str, flaw: Flaw) -> FileFault:
    return FileFault(code=flaw.code, message=f"'{path}' {flaw.message}", help=flaw.help)


def _nothing(source: ReferenceSource) -> FileFault:
    return FileFault(
        code="FB413",
        message=f"reference '{source.name}' renders to nothing",
        help="fill it in, or write optional: true if a shot may go without it",
    )


def _no_text(source: ReferenceSource, kind: str, value: object) -> FileFault:
    found = "a mapping" if isinstance(value, Mapping) else "yes or no" if isinstance(value, bool) else "something else"
    wanted = {"path": "a path", "glob": "a pattern", "color": "a colour", "collage": "a list of paths"}[kind]
    return FileFault(
        code="FB205",
        message=f"reference '{source.name}' renders to {found} and not to {wanted}",
        help="name the column or field that holds it",
    )


def _crowded(source: ReferenceSource, count: int) -> FileFault:
    return FileFault(
        code="FB403",
        message=f"collage '{source.name}' has {count} pictures, and at most {boards.MAX_PICTURES} fit on a board",
        help="make two collages of it",
    )


def _remote_collage(source: ReferenceSource) -> FileFault:
    return FileFault(
        code="FB408",
        message=f"collage '{source.name}' names a URL, and a collage is made of files",
        help="save the picture in the job's folder",
    )
