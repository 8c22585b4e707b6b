"""One call of the client, checked whole before any connection is opened."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flux2batch.errors import InvalidInput
from flux2batch.planning.configuration import Configuration, host_fault
from flux2batch.planning.fault import Fault
from flux2batch.planning.files import folder
from flux2batch.planning.identity import shot_id
from flux2batch.planning.models.catalogue import Entry, identifying
from flux2batch.planning.models.parameters import SERVICE_NAMES, check_prompt, check_together, check_value
from flux2batch.planning.models.pricing import quote
from flux2batch.planning.models.sizes import SIZE_PARAMETERS, Size, resolve_size
from flux2batch.planning.references.given import reference_of
from flux2batch.planning.references.limits import check_reference
from flux2batch.planning.references.picture import Picture
from flux2batch.planning.references.preparing import prepare
from flux2batch.planning.references.shelf import ReferenceShelf
from flux2batch.planning.shot import Reference, Shot
from flux2batch.reading.problems import Problem, Steps, error, has_errors

_WORDS_FOR_IMAGES = ("references", "image", "input_images", "reference_images")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is sent for one call, and what is worth saying about it."""

    shot: Shot
    pictures: tuple[Picture, ...]
    remarks: tuple[str, ...]


def read_call(entry: Entry, prompt: Any, images: Any, params: Mapping[str, Any], configuration: Configuration) -> Call:
    """The call as a shot with its pictures; raises InvalidInput with everything that is wrong with it."""
    shelf = ReferenceShelf(folder.JobFolder(Path()))
    text, problems = _prompt(entry, prompt)
    references, found = _references(entry, images, shelf, configuration)
    final, more = _params(entry, params, references, unread=has_errors(found))
    problems = [*problems, *found, *more]
    if has_errors(problems):
        raise InvalidInput(problem for problem in problems if problem.severity == "error")

    pictures = [prepare(reference, shelf) for reference in references]
    faults = [picture for picture in pictures if isinstance(picture, folder.FileFault)]
    if faults:
        raise InvalidInput(_problem(fault, ("images",)) for fault in faults)
    return Call(
        shot=_shot(entry, text, final, references, configuration),
        pictures=tuple(picture for picture in pictures if isinstance(picture, Picture)),
        remarks=tuple(problem.message for problem in problems),
    )


def _shot(
    entry: Entry, prompt: str, params: Mapping[str, Any], references: Sequence[Reference], configuration: Configuration
) -> Shot:
    endpoint = entry.endpoint_for(len(references))
    return Shot(
        id=shot_id(
            model=entry.model,
            endpoint=endpoint,
            params=identifying(entry, params),
            prompt=prompt,
            references=[reference.digest for reference in references],
        ),
        index=0,
        model=entry.model,
        endpoint=endpoint,
        prompt=prompt,
        params=params,
        references=tuple(references),
        coordinates={},
        repeat=1,
        paths=(),
        trim=None,
        quote=quote(
            entry,
            width=params["width"],
            height=params["height"],
            references=[_sides(reference) for reference in references],
            frames=params.get("num_images") or 1,
            prices=configuration.prices,
            assume=configuration.assume_price,
        ),
    )


def _prompt(entry: Entry, prompt: Any) -> tuple[str, list[Problem]]:
    """The prompt as text. A mapping is a structured prompt and goes as JSON, as in a job file."""
    if isinstance(prompt, Mapping):
        try:
            prompt = json.dumps(prompt, ensure_ascii=False)
        except (TypeError, ValueError):
            return "", [_wrong("FB205", "the prompt holds something that is neither text nor number", "prompt")]
    if not isinstance(prompt, str):
        return "", [_wrong("FB205", "the prompt must be text, or a mapping for a structured one", "prompt")]
    if not prompt.strip():
        return "", [_wrong("FB209", "the prompt is empty", "prompt")]
    try:
        prompt.encode("utf-8")
    except UnicodeEncodeError as broken:
        half = f"the prompt holds half a character at position {broken.start}, which cannot be sent"
        return "", [_wrong("FB205", half, "prompt")]
    fault = check_prompt(entry, prompt)
    return prompt, [_problem(fault, ("prompt",))] if fault else []


def _references(
    entry: Entry, images: Any, shelf: ReferenceShelf, configuration: Configuration
) -> tuple[list[Reference], list[Problem]]:
    references: list[Reference] = []
    problems: list[Problem] = []
    for number, value in enumerate(_each(images), start=1):
        steps: Steps = ("images", number - 1)
        reference = reference_of(value, shelf, name=f"image {number}")
        if isinstance(reference, folder.FileFault):
            problems.append(_problem(replace(reference, message=f"image {number}: {reference.message}"), steps))
            continue
        references.append(reference)
        problems += check_reference(entry, reference, where=None, steps=steps)
        host = urlsplit(reference.source).hostname if reference.kind == "url" else None
        fault = host_fault(configuration, host) if host else None
        if fault:
            problems.append(_problem(fault, steps))
    return references, problems


def _each(images: Any) -> Iterable[Any]:
    """Several pictures, or one: a text is a path and not a list of letters."""
    if images is None:
        return ()
    is_one = isinstance(images, str | bytes | bytearray | memoryview | os.PathLike)
    if is_one or hasattr(images, "read") or hasattr(images, "getexif") or not isinstance(images, Iterable):
        return (images,)
    return images


def _params(
    entry: Entry, given: Mapping[str, Any], references: Sequence[Reference], *, unread: bool
) -> tuple[dict[str, Any], list[Problem]]:
    """Final parameters under their neutral names, defaults filled in."""
    said = {name: _tidy(name, value) for name, value in given.items() if value is not None}
    faults = [fault for name, value in said.items() if (fault := _fault(entry, name, value))]
    final: dict[str, Any] = {
        name: said.get(name, parameter.default)
        for name, parameter in entry.parameters.items()
        if name not in SIZE_PARAMETERS and said.get(name, parameter.default) is not None
    }
    size = None if unread else _size(entry, said, references, faults)
    if size is not None:
        final |= {"width": size.width, "height": size.height}
        faults += check_together(entry, final, len(references))
    return final, [_problem(fault, (fault.parameter,)) for fault in faults]


def _tidy(name: str, value: Any) -> Any:
    if name == "size" and isinstance(value, tuple | list) and len(value) == 2:
        return "{}x{}".format(*value)  # as Pillow has it
    return value


def _fault(entry: Entry, name: str, value: Any) -> Fault | None:
    if SERVICE_NAMES.get(name) == "references" or name in _WORDS_FOR_IMAGES:
        return Fault(code="FB201", message=f"'{name}' is called 'images' here", help="write images=[…]", parameter=name)
    return check_value(entry, name, value)


def _size(entry: Entry, said: Mapping[str, Any], references: Sequence[Reference], faults: list[Fault]) -> Size | None:
    if {fault.parameter for fault in faults} & set(SIZE_PARAMETERS):
        return None
    first = _sides(references[0]) if references else None
    size = resolve_size(entry, said, first, has_references=bool(references))
    if isinstance(size, Fault):
        faults.append(size)
        return None
    if size.trim is not None:
        faults.append(
            Fault(
                code="FB607",
                message="exact is for job files: this hands pictures over as they come",
                help=f'ask for size="{size.width}x{size.height}" and trim it to {size.trim.width}x{size.trim.height}',
                parameter="size",
            )
        )
        return None
    return size


def _sides(reference: Reference) -> tuple[int, int] | None:
    return (reference.width, reference.height) if reference.width and reference.height else None


def _wrong(code: str, message: str, parameter: str) -> Problem:
    return error(code, message, where=None, steps=(parameter,))


def _problem(fault: Fault | folder.FileFault, steps: Steps) -> Problem:
    return error(fault.code, fault.message, where=None, steps=steps, help=fault.help)
