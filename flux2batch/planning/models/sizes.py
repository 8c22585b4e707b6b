"""Every way of writing a size, turned into the width and height that a model is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from functools import lru_cache
from math import isqrt
from typing import Any

from flux2batch.planning.fault import Fault
from flux2batch.planning.models.catalogue import Entry
from flux2batch.planning.shot import Trim
from flux2batch.planning.sweep.numerals import number_in, whole
from flux2batch.reading.suggest import closest

MEGAPIXEL = 1024 * 1024
"""As the services bill: 1,048,576 pixels."""

SIZE_PARAMETERS = ("size", "width", "height", "aspect", "megapixels")
"""Together they are one parameter: a stronger layer of a job replaces them as a whole."""

# `exact` scales the picture that came until it covers the exact pixels, and trims what stands over. Where a model draws
# no sides as short as those, the covering size has another shape, and more is trimmed: a tenth is the most that nobody
# misses, more cuts off heads and lettering.
_MOST_TRIMMED = Fraction(1, 10)

_WIDTH_X_HEIGHT = re.compile(r"\s*([0-9]{1,6})\s*[xX×]\s*([0-9]{1,6})\s*")
_RATIO = re.compile(r"\s*([0-9]{1,5}(?:[.,][0-9]{1,5})?)\s*[:/]\s*([0-9]{1,5}(?:[.,][0-9]{1,5})?)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a model is asked for, and what the picture is trimmed to after it came."""

    width: int
    height: int
    trim: Trim | None


def resolve_size(
    entry: Entry,
    size_params: Mapping[str, Any],
    first_reference: tuple[int, int] | None,
    *,
    has_references: bool | None = None,
) -> Size | Fault:
    """The size that these parameters mean for a model, or what is wrong with them.

    `size_params` may hold any of SIZE_PARAMETERS; others are passed over. `first_reference` is None where there is none
    and where its size is not known; `has_references` tells the two apart (a first reference that is a URL).
    """
    referenced = first_reference is not None if has_references is None else has_references
    given = [name for name in SIZE_PARAMETERS if size_params.get(name) is not None]
    fault = _clash(given)
    if fault:
        return fault
    if not given:
        default = entry.sizes.default_with_references if referenced else entry.sizes.default
        return _named(entry, default, first_reference, referenced)
    if "width" in given:
        return _from_sides(entry, size_params["width"], size_params["height"])
    if given[0] != "size":
        return _from_shape(entry, size_params.get("aspect"), size_params.get("megapixels"), first_reference)
    return _from_size(entry, size_params["size"], first_reference, referenced)


def megapixels(pixels: int) -> Decimal:
    """An area in megapixels with at most two decimals, rounded up, so that 4.001 does not read as 4."""
    exact = Decimal(pixels) / MEGAPIXEL
    return exact.quantize(Decimal("0.01"), rounding=ROUND_CEILING).normalize() + 0


def side_fault(entry: Entry, name: str, value: int) -> Fault | None:
    """What is wrong with one side of a picture by itself."""
    sizes = entry.sizes
    if not sizes.min_side <= value <= sizes.max_side:
        return Fault(
            code="FB204",
            message=f"{name} must be {sizes.min_side} to {sizes.max_side}, got {value}",
            help=_sides_of(entry),
            parameter=name,
        )
    if value % sizes.multiple_of:
        near = " or ".join(str(side) for side in _neighbours(entry, value))
        return Fault(
            code="FB204",
            message=f"{name} must be a multiple of {sizes.multiple_of}, got {value}",
            help=f"nearest: {near}",
            parameter=name,
        )
    return None


def pixels_fault(entry: Entry, width: int, height: int, *, parameter: str) -> Fault | None:
    """What is wrong with two sides together."""
    pixels = width * height
    if pixels <= entry.sizes.max_pixels:
        return None
    near = _best_fit(entry, Fraction(width, height), entry.sizes.max_pixels)
    return Fault(
        code="FB601",
        message=f"{width}x{height} is {megapixels(pixels)} MP, over the {megapixels(entry.sizes.max_pixels)} MP "
        f"of {entry.model}",
        help=f"nearest of the same shape: {near[0]}x{near[1]}" if near else None,
        parameter=parameter,
    )


def _clash(given: list[str]) -> Fault | None:
    groups = {{"size": "size", "aspect": "shape", "megapixels": "shape"}.get(name, "sides") for name in given}
    if len(groups) > 1:
        return Fault(
            code="FB208",
            message=f"give either {given[0]} or {given[-1]}, not both",
            help="size, width with height, and aspect with megapixels are three ways to say one thing",
            parameter=given[-1],
        )
    if groups == {"sides"} and len(given) == 1:
        other = "height" if given == ["width"] else "width"
        return Fault(
            code="FB208",
            message=f"{given[0]} needs {other} beside it",
            help=f"add {other}, or write size: 1024x1024",
            parameter=given[0],
        )
    return None


def _from_size(entry: Entry, value: Any, first: tuple[int, int] | None, referenced: bool) -> Size | Fault:
    if isinstance(value, str):
        return _named(entry, value, first, referenced)
    if isinstance(value, Mapping):
        return _from_mapping(entry, value, first, referenced)
    return _unreadable(value)


def _from_mapping(
    entry: Entry, value: Mapping[str, Any], first: tuple[int, int] | None, referenced: bool
) -> Size | Fault:
    keys = set(value)
    if keys == {"exact"}:
        return _from_exact(entry, value["exact"], first, referenced)
    if keys == {"width", "height"}:
        return _from_sides(entry, value["width"], value["height"])
    if keys and keys <= {"aspect", "megapixels"}:
        return _from_shape(entry, value.get("aspect"), value.get("megapixels"), first, parameter="size")
    return _unreadable(", ".join(str(key) for key in value))


def _named(entry: Entry, text: str, first: tuple[int, int] | None, referenced: bool) -> Size | Fault:
    written = _WIDTH_X_HEIGHT.fullmatch(text)
    if written:
        return _checked(entry, int(written[1]), int(written[2]))
    name = text.strip()
    if name == "match":
        return _match(entry, first, referenced)
    if name in entry.sizes.presets:
        return _preset(entry, name)
    if _RATIO.fullmatch(text):
        return Fault(
            code="FB203",
            message=f"size cannot be the shape {name} alone",
            help=f"write size: {{aspect: {name}, megapixels: 1}}",
            parameter="size",
        )
    return _unreadable(name, known=("match", *entry.sizes.presets))


def _preset(entry: Entry, name: str) -> Size | Fault:
    width, height = entry.sizes.presets[name]
    return _checked(entry, width, height)


def _unreadable(value: object, *, known: tuple[str, ...] = ()) -> Fault:
    near = closest(value, known) if isinstance(value, str) and known else None
    forms = "1024x1024, landscape_4_3, match, {aspect: 16:9, megapixels: 2} or {exact: 1080x1350}"
    return Fault(
        code="FB203",
        message=f"size cannot be '{value}'",
        help=f"did you mean '{near}'?" if near else f"write it as {forms}",
        parameter="size",
    )


def _from_sides(entry: Entry, written_width: Any, written_height: Any) -> Size | Fault:
    width, height = whole(written_width), whole(written_height)
    for name, side, written in (("width", width, written_width), ("height", height, written_height)):
        if side is None:
            return Fault(
                code="FB205",
                message=f"{name} must be a whole number of pixels, got '{written}'",
                help=None,
                parameter=name,
            )
    assert width is not None
    assert height is not None
    fault = (
        side_fault(entry, "width", width)
        or side_fault(entry, "height", height)
        or pixels_fault(entry, width, height, parameter="width")
    )
    return fault or Size(width=width, height=height, trim=None)


def _checked(entry: Entry, width: int, height: int) -> Size | Fault:
    """A size that was written as one value: its faults name both sides at once."""
    sizes = entry.sizes
    short = [name for name, side in (("width", width), ("height", height)) if side < sizes.min_side]
    long = [name for name, side in (("width", width), ("height", height)) if side > sizes.max_side]
    if short or long:
        return Fault(
            code="FB204",
            message=f"{' and '.join(short + long)} must be {sizes.min_side} to {sizes.max_side}, got {width}x{height}",
            help=_sides_of(entry),
            parameter="size",
        )
    odd = [name for name, side in (("width", width), ("height", height)) if side % sizes.multiple_of]
    if odd:
        what = "multiples" if len(odd) == 2 else "a multiple"
        got = f"{width}x{height}" if len(odd) == 2 else str(width if odd == ["width"] else height)
        return Fault(
            code="FB204",
            message=f"{' and '.join(odd)} must be {what} of {sizes.multiple_of}, got {got}",
            help=_instead_of(entry, width, height),
            parameter="size",
        )
    return pixels_fault(entry, width, height, parameter="size") or Size(width=width, height=height, trim=None)


def _from_shape(
    entry: Entry, aspect: Any, area: Any, first: tuple[int, int] | None, *, parameter: str | None = None
) -> Size | Fault:
    ratio = _ratio(aspect) if aspect is not None else Fraction(*first) if first else Fraction(1)
    if ratio is None:
        return Fault(
            code="FB205",
            message=f"aspect must be two numbers such as 16:9, got '{aspect}'",
            help=None,
            parameter=parameter or "aspect",
        )
    amount = number_in(area) if isinstance(area, str) else 1 if area is None else area
    if isinstance(amount, bool) or not isinstance(amount, (int, float, Decimal)) or not 0 < amount < 10**6:
        return Fault(
            code="FB205",
            message=f"megapixels must be a number above 0, got '{area}'",
            help=None,
            parameter=parameter or "megapixels",
        )
    pixels = int(Fraction(str(amount)) * MEGAPIXEL)
    if pixels > entry.sizes.max_pixels:
        most = megapixels(entry.sizes.max_pixels)
        return Fault(
            code="FB601",
            message=f"{amount} MP is over the {most} MP of {entry.model}",
            help=f"at most megapixels: {most}",
            parameter=parameter or "megapixels",
        )
    fit = _best_fit(entry, ratio, pixels)
    if fit is None:
        return Fault(
            code="FB204",
            message=f"{entry.model} draws no picture of the shape {_shape(ratio)} with {amount} MP",
            help=_sides_of(entry),
            parameter=parameter or ("aspect" if aspect is not None else "megapixels"),
        )
    return Size(width=fit[0], height=fit[1], trim=None)


def _match(entry: Entry, first: tuple[int, int] | None, referenced: bool) -> Size | Fault:
    if first is None:
        why = "the first reference is a URL, which a plan does not fetch" if referenced else "there is no reference"
        return Fault(
            code="FB607",
            message=f"size: match cannot be worked out: {why}",
            help="write the size, such as size: 1024x1024" + (" (or --check-urls looks at it)" if referenced else ""),
            parameter="size",
        )
    fit = _matching(entry, *first)
    if fit is None:
        return Fault(
            code="FB607",
            message=f"size: match cannot be worked out: {entry.model} draws nothing of the shape of the first "
            f"reference, {first[0]}x{first[1]}",
            help=_sides_of(entry),
            parameter="size",
        )
    return Size(width=fit[0], height=fit[1], trim=None)


@lru_cache(maxsize=4096)
def _matching(entry: Entry, width: int, height: int) -> tuple[int, int] | None:
    """The reference's size, shrunk to what the model draws and cut down to its step: what the service would do."""
    sizes = entry.sizes
    scale = Fraction(1)
    if width * height > sizes.max_pixels:
        wide = isqrt(sizes.max_pixels * width // height)
        scale = Fraction(wide, width)
    scale = min(scale, Fraction(sizes.max_side, max(width, height)))
    scale = max(scale, Fraction(sizes.min_side, min(width, height)))
    fit = tuple(_down(entry, int(side * scale)) for side in (width, height))
    legal = max(fit) <= sizes.max_side and fit[0] * fit[1] <= sizes.max_pixels
    return (fit[0], fit[1]) if legal else None


def _from_exact(entry: Entry, value: Any, first: tuple[int, int] | None, referenced: bool) -> Size | Fault:
    written = _WIDTH_X_HEIGHT.fullmatch(value) if isinstance(value, str) else None
    if not written or not int(written[1]) or not int(written[2]):
        return Fault(
            code="FB203",
            message=f"exact must be WIDTHxHEIGHT, got '{value}'",
            help="write it as {exact: 1080x1350}",
            parameter="size",
        )
    if referenced and first is None:
        return Fault(
            code="FB607",
            message="exact cannot be promised: the first reference is a URL, which a plan does not fetch",
            help="write the size itself, such as size: 1024x1024 (or --check-urls looks at it)",
            parameter="size",
        )
    width, height = int(written[1]), int(written[2])
    cover = _covering(entry, width, height)
    if cover is None:
        return _not_coverable(entry, width, height)
    trim = None if cover == (width, height) else Trim(width=width, height=height)
    return Size(width=cover[0], height=cover[1], trim=trim)


@lru_cache(maxsize=4096)
def _covering(entry: Entry, width: int, height: int) -> tuple[int, int] | None:
    """The legal size with the fewest pixels that covers this one and loses at most a tenth when it is trimmed."""
    sizes = entry.sizes
    least_wide = max(sizes.min_side, _up(entry, width))
    least_high = max(sizes.min_side, _up(entry, height))
    best: tuple[int, int] | None = None
    for wide in range(least_wide, sizes.max_side + 1, sizes.multiple_of):
        if wide * least_high > sizes.max_pixels or (best and wide * least_high >= best[0] * best[1]):
            break
        ideal = Fraction(wide * height, width)  # the height of exactly this shape
        high = max(least_high, _up(entry, -int(-(ideal * (1 - _MOST_TRIMMED)) // 1)))
        fits = high <= sizes.max_side and wide * high <= sizes.max_pixels and high * (1 - _MOST_TRIMMED) <= ideal
        if fits and (best is None or wide * high < best[0] * best[1]):
            best = (wide, high)
    return best


def _not_coverable(entry: Entry, width: int, height: int) -> Fault:
    sizes = entry.sizes
    wide, high = max(sizes.min_side, _up(entry, width)), max(sizes.min_side, _up(entry, height))
    if max(wide, high) <= sizes.max_side and wide * high > sizes.max_pixels:
        near = _best_fit(entry, Fraction(width, height), sizes.max_pixels)
        return Fault(
            code="FB601",
            message=f"exact {width}x{height} needs {wide}x{high}, {megapixels(wide * high)} MP, "
            f"over the {megapixels(sizes.max_pixels)} MP of {entry.model}",
            help=f"draw {near[0]}x{near[1]} and enlarge it elsewhere" if near else None,
            parameter="size",
        )
    if max(wide, high) > sizes.max_side:
        why = f"it draws no side longer than {sizes.max_side} pixels"
    else:
        lost = round(100 * (1 - _kept(width, height, wide, high)))
        why = f"it draws no side shorter than {sizes.min_side}, and of {wide}x{high} {lost}% would be cut away"
    return Fault(
        code="FB607",
        message=f"{entry.model} cannot serve exact {width}x{height}: {why}",
        help="choose another model for this format, or draw a larger picture and lay it out elsewhere",
        parameter="size",
    )


def _kept(width: int, height: int, wide: int, high: int) -> Fraction:
    """How much of wide × high is left when it is scaled until it just covers width × height, and trimmed."""
    change = Fraction(wide, high) / Fraction(width, height)
    return min(change, 1 / change)


@lru_cache(maxsize=4096)
def _best_fit(entry: Entry, ratio: Fraction, pixels: int) -> tuple[int, int] | None:
    """The legal size with at most so many pixels that is nearest to a shape; None where no side is legal.

    Shape counts twice as much as area, so that 16:9 with 2 MP is 1920x1088 and not 1792x1008. Never more pixels than
    asked for: the next megapixel would be billed. Fractions, because floats differ between machines where it is close.
    """
    candidates = _around(entry, ratio, pixels)
    return min(candidates, key=lambda size: _unlike(size, ratio, pixels), default=None)


def _unlike(size: tuple[int, int], ratio: Fraction, pixels: int) -> tuple[Fraction, int]:
    change = Fraction(*size) / ratio
    return max(change, 1 / change) - 1 + (1 - Fraction(size[0] * size[1], pixels)) / 2, -size[0]


def _around(entry: Entry, ratio: Fraction, pixels: int) -> Iterator[tuple[int, int]]:
    sizes = entry.sizes
    ideal = isqrt(int(pixels * ratio))
    reach = max(ideal // 5, 4 * sizes.multiple_of)
    least, most = max(sizes.min_side, _down(entry, ideal - reach)), min(sizes.max_side, ideal + reach)
    for wide in range(_up(entry, least), most + 1, sizes.multiple_of):
        below = _down(entry, int(wide / ratio))
        for high in (below, below + sizes.multiple_of):
            if sizes.min_side <= high <= sizes.max_side and wide * high <= pixels:
                yield wide, high


def _ratio(value: Any) -> Fraction | None:
    if isinstance(value, str):
        written = _RATIO.fullmatch(value)
        if not written:
            return None
        sides = [Fraction(side.replace(",", ".")) for side in written.groups()]
        return sides[0] / sides[1] if all(sides) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)) or not 0 < value < 10**5:
        return None
    return Fraction(str(value))


def _shape(ratio: Fraction) -> str:
    return f"{ratio.numerator}:{ratio.denominator}" if ratio.denominator < 1000 else f"{float(ratio):.2f}:1"


def _down(entry: Entry, side: int) -> int:
    return side // entry.sizes.multiple_of * entry.sizes.multiple_of


def _up(entry: Entry, side: int) -> int:
    return -(-side // entry.sizes.multiple_of) * entry.sizes.multiple_of


def _neighbours(entry: Entry, side: int) -> list[int]:
    sizes = entry.sizes
    return [near for near in (_down(entry, side), _up(entry, side)) if sizes.min_side <= near <= sizes.max_side]


def _instead_of(entry: Entry, width: int, height: int) -> str:
    exact = f"; for exactly these pixels: {{exact: {width}x{height}}}" if _covering(entry, width, height) else ""
    return f"nearest: {_legal_around(entry, width, height)}{exact}"


def _legal_around(entry: Entry, width: int, height: int) -> str:
    below, above = (_down(entry, width), _down(entry, height)), (_up(entry, width), _up(entry, height))
    legal = [
        f"{wide}x{high}"
        for wide, high in (below, above)
        if min(wide, high) >= entry.sizes.min_side
        and max(wide, high) <= entry.sizes.max_side
        and wide * high <= entry.sizes.max_pixels
    ]
    return " or ".join(legal)


def _sides_of(entry: Entry) -> str:
    sizes = entry.sizes
    return (
        f"{entry.model} draws sides of {sizes.min_side} to {sizes.max_side} pixels in steps of {sizes.multiple_of}, "
        f"{megapixels(sizes.max_pixels)} MP at most"
    )
