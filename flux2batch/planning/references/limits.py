"""Hold a reference against what a model takes, and say what its service would do to the picture."""

from __future__ import annotations

from collections.abc import Iterator

from flux2batch.planning.files.folder import in_megabytes
from flux2batch.planning.models.catalogue import Entry
from flux2batch.planning.shot import Reference
from flux2batch.reading.problems import Place, Problem, Steps, error, warning


def check_reference(
    entry: Entry, reference: Reference, *, where: Place | None, steps: Steps = ()
) -> tuple[Problem, ...]:
    """What the model refuses (errors) and what its service would change without a word (warnings).

    Ask once for each picture and model. The number of references is a matter of the whole request: see parameters.py.
    A URL's size is not known before the service fetches it. No model is named: what is wrong with a picture for two
    models of one limit is one mistake.
    """
    if reference.kind == "url" and entry.references.encoding == "file":
        message = f"'{reference.source}' is a URL, and the model takes files: nothing is fetched for it"
        return (error("FB407", message, where=where, steps=steps, help="download it into the job's folder"),)
    if reference.width is None or reference.height is None:
        return ()
    name, width, height = f"'{reference.source}'", reference.width, reference.height
    refused = [
        error("FB407", f"{name} {message}", where=where, steps=steps, help=help)
        for message, help in _refusals(entry, reference, width, height)
    ]
    if refused:
        return tuple(refused)
    return tuple(
        warning("FB407", f"{name} {message}", where=where, steps=steps, help=help)
        for message, help in _changes(entry, width, height)
    )


def _refusals(entry: Entry, reference: Reference, width: int, height: int) -> Iterator[tuple[str, str]]:
    limits = entry.references
    is_file = reference.kind in ("file", "bytes")
    if is_file and reference.file_bytes > limits.max_bytes:
        size, limit = in_megabytes(reference.file_bytes), in_megabytes(limits.max_bytes)
        yield (
            f"is {size}, and the model takes at most {limit}",
            "save it as JPEG, or smaller",
        )
    if width * height > limits.max_pixels:
        yield (
            f"is {width}x{height}, {_megapixels(width * height)} MP, and the model takes at most "
            f"{_megapixels(limits.max_pixels)} MP",
            f"scale it down; {_megapixels(limits.shrunk_above_pixels)} MP are all that is used of it",
        )
    if min(width, height) < limits.min_side:
        yield (
            f"is {width}x{height}, and the model wants at least {limits.min_side} pixels on each side",
            "take a larger picture: enlarging this one adds nothing",
        )
    if limits.max_aspect is not None and max(width, height) > limits.max_aspect * min(width, height):
        yield (
            f"is {width}x{height}, and the model takes nothing longer than {limits.max_aspect}:1",
            "cut it to a shorter shape",
        )


def _changes(entry: Entry, width: int, height: int) -> Iterator[tuple[str, str | None]]:
    limits = entry.references
    if width * height > limits.shrunk_above_pixels:
        yield (
            f"is {width}x{height}, {_megapixels(width * height)} MP, and is shrunk to "
            f"{_megapixels(limits.shrunk_above_pixels)} MP before the model sees it",
            "scale it down yourself: you choose how, and a smaller reference costs less",
        )
        return  # the sides it is cropped to are those after shrinking
    cropped = tuple(side - side % limits.multiple_of for side in (width, height))
    if cropped != (width, height):
        yield f"is {width}x{height}, and is cropped to {cropped[0]}x{cropped[1]} before the model sees it", None


def _megapixels(pixels: int) -> str:
    """As services count them, in 1024·1024 pixels where that comes out even, else in millions."""
    if pixels % 1_048_576 == 0:
        return str(pixels // 1_048_576)
    return f"{pixels / 1_000_000:.1f}".removesuffix(".0")
