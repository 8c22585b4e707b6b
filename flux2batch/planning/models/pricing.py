"""What a shot will cost, from the catalogue's price lists or the user's own prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from flux2batch.money import ZERO, Money, show, usd
from flux2batch.planning.fault import Fault
from flux2batch.planning.models.catalogue import Entry, Price
from flux2batch.planning.models.sizes import MEGAPIXEL
from flux2batch.planning.shot import Quote

# A service's own word (`cost`, billable units) always wins over these figures: they are for the plan and the budget.
# Where billing is not certain the least and the most are both known, and the budget reserves the most.

_URL_MEGAPIXELS = (1, 4)
"""What a reference may be billed as that nobody has looked at: a URL."""

_CLIFF = 20
"""A hint is given where a twentieth of the pixels less would save a whole megapixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOverride:
    """A price in the user's configuration: one for the whole picture, or other amounts in the catalogue's formula."""

    flat: Decimal | None
    amounts: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What many shots cost together."""

    min: Money
    max: Money
    shots: int
    unknown: int  # shots without a known price: they are in neither sum


def quote(
    entry: Entry,
    *,
    width: int,
    height: int,
    references: Sequence[tuple[int, int] | None],
    frames: int = 1,
    prices: Mapping[str, PriceOverride] | None = None,
    assume: Decimal | None = None,
) -> Quote | None:
    """The price of one shot, or None where it is not known and nothing is assumed.

    `references` are the sizes of what is sent, None for a URL. `prices` are the user's, by model. `assume` is the price
    of a shot whose price is not known (--assume-price).
    """
    override = prices.get(entry.model) if prices else None
    return _quote(entry, width, height, tuple(references), frames, override, assume)


def estimate(quotes: Iterable[Quote | None]) -> Estimate:
    """The sum of many quotes."""
    least = most = ZERO
    shots = unknown = 0
    for each in quotes:
        shots += 1
        if each is None:
            unknown += 1
            continue
        least, most = Money(least + each.min), Money(most + each.max)
    return Estimate(min=least, max=most, shots=shots, unknown=unknown)


def unit_price(entry: Entry, *, references: int, prices: Mapping[str, PriceOverride] | None = None) -> Money | None:
    """The price of one unit that the service bills (fal: a megapixel), to turn its count of units into money."""
    listed = entry.price_for(references)
    override = prices.get(entry.model) if prices else None
    if override and override.flat is not None:
        return None
    amounts = {**(listed.amounts if listed else {}), **dict(override.amounts if override else ())}
    unit = amounts.get("output")
    return None if unit is None else usd(unit)


def unknown_price(entry: Entry) -> Fault:
    """What the plan says about a model whose price nobody knows (FB612)."""
    return Fault(
        code="FB612",
        message=f"the price of {entry.model} is not known",
        help=f'write it into config.toml under [prices]: "{entry.model}" = 0.05, or assume one: --assume-price 0.05',
        parameter="model",
    )


@lru_cache(maxsize=4096)
def cliff(entry: Entry, width: int, height: int) -> str | None:
    """The hint that a slightly smaller picture is a whole megapixel cheaper, or None.

    "1088×1936 bills 3 MP; 1088×1920 bills 2 ($0.015 less a picture)"
    """
    price = entry.price
    if price is None or price.formula != "started-megapixels" or not price.amounts["further"]:
        return None
    billed = _started(width * height)
    if billed == 1:
        return None
    smaller = _just_below(entry, width, height, (billed - 1) * MEGAPIXEL)
    if smaller is None:
        return None
    saved = show(price.amounts["further"])
    return f"{width}×{height} bills {billed} MP; {smaller[0]}×{smaller[1]} bills {billed - 1} ({saved} less a picture)"


@lru_cache(maxsize=65536)
def _quote(
    entry: Entry,
    width: int,
    height: int,
    references: tuple[tuple[int, int] | None, ...],
    frames: int,
    override: PriceOverride | None,
    assume: Decimal | None,
) -> Quote | None:
    if override and override.flat is not None:
        return _flat(override.flat * frames, "by your configuration")
    price = _effective(entry.price_for(len(references)), override)
    if price is None:
        return None if assume is None else _flat(assume * frames, "assumed")
    match price.formula:
        case "free":
            return _flat(Decimal(0), "your own machine")
        case "area":
            return _by_area(price, width * height, references, frames)
        case "started-megapixels":
            return _by_started_megapixels(price, width * height, references, frames)


def _effective(price: Price | None, override: PriceOverride | None) -> Price | None:
    if price is None or override is None:
        return price
    return Price(
        formula=price.formula,
        amounts={**price.amounts, **dict(override.amounts)},
        reference_mp_max=price.reference_mp_max,
        reference_mp_fixed=price.reference_mp_fixed,
        several_references_mp_min=price.several_references_mp_min,
        asof=price.asof,
        source="your configuration",
        assumed=None,
    )


def _flat(amount: Decimal, why: str) -> Quote:
    return Quote(min=usd(amount), max=usd(amount), parts=((f"picture, {why}", usd(amount)),))


def _by_started_megapixels(
    price: Price, pixels: int, references: tuple[tuple[int, int] | None, ...], frames: int
) -> Quote:
    """Each picture and each reference rounded up to whole megapixels; the first of the picture has its own price."""
    started = _started(pixels)
    picture = _output_price(price, started) * frames
    each = price.amounts["reference"]
    spans = [_started_span(price, reference, several=len(references) > 1) for reference in references]
    parts = [
        (_of_pictures(frames, str(started)), picture),
        *((_of_reference(str(least), str(most)), each * most) for least, most in spans),
    ]
    return _summed(picture + each * sum(least for least, _ in spans), parts)


def _started_span(price: Price, reference: tuple[int, int] | None, *, several: bool) -> tuple[int, int]:
    least, most = _URL_MEGAPIXELS if reference is None else (_started(reference[0] * reference[1]),) * 2
    if price.reference_mp_max is not None:
        least, most = min(least, price.reference_mp_max), min(most, price.reference_mp_max)
    if several and price.several_references_mp_min is not None:
        least = min(least, price.several_references_mp_min)
    return least, most


def _by_area(price: Price, pixels: int, references: tuple[tuple[int, int] | None, ...], frames: int) -> Quote:
    """The least counts the area, the most rounds every picture up: nobody says how these are rounded."""
    output, each = price.amounts["output"], price.amounts["reference"]
    spans = [_area_span(price, reference) for reference in references]
    least = output * _area(pixels) * frames + each * sum((least for least, _ in spans), Decimal(0))
    parts = [
        (_of_pictures(frames, _between(_area(pixels), _started(pixels))), output * _started(pixels) * frames),
        *((_of_reference(f"{low.normalize():f}", f"{most}"), each * most) for low, most in spans),
    ]
    return _summed(least, parts)


def _area_span(price: Price, reference: tuple[int, int] | None) -> tuple[Decimal, int]:
    if price.reference_mp_fixed is not None:
        return Decimal(price.reference_mp_fixed), price.reference_mp_fixed
    if reference is None:
        return Decimal(_URL_MEGAPIXELS[0]), _URL_MEGAPIXELS[1]
    pixels = reference[0] * reference[1]
    return _area(pixels), _started(pixels)


def _summed(least: Decimal, parts: Sequence[tuple[str, Decimal]]) -> Quote:
    most = sum((amount for _, amount in parts), Decimal(0))
    return Quote(min=usd(least), max=usd(most), parts=tuple((name, usd(amount)) for name, amount in parts))


def _of_pictures(frames: int, size: str) -> str:
    return f"picture {size} MP" if frames == 1 else f"{frames} pictures {size} MP"


def _of_reference(least: str, most: str) -> str:
    return f"reference {most} MP" if least == most else f"reference {_rounded(least)}–{most} MP"


def _between(area: Decimal, started: int) -> str:
    return str(started) if area == started else f"{_rounded(str(area))}–{started}"


def _rounded(area: str) -> str:
    return f"{Decimal(area).quantize(Decimal('0.01')).normalize():f}"


def _output_price(price: Price, started: int) -> Decimal:
    return price.amounts["first"] + price.amounts["further"] * (started - 1)


def _started(pixels: int) -> int:
    return max(1, -(-pixels // MEGAPIXEL))


def _area(pixels: int) -> Decimal:
    return Decimal(pixels) / MEGAPIXEL


def _just_below(entry: Entry, width: int, height: int, limit: int) -> tuple[int, int] | None:
    """The largest size under the limit that is one side shorter by a few steps, if little is lost."""
    step = entry.sizes.multiple_of
    narrower = (limit // height // step * step, height)
    lower = (width, limit // width // step * step)
    legal = [
        size
        for size in (narrower, lower)
        if min(size) >= entry.sizes.min_side and size[0] * size[1] * _CLIFF >= width * height * (_CLIFF - 1)
    ]
    return max(legal, key=lambda size: size[0] * size[1], default=None)


def describe(price: Price) -> str:
    """A price list in one line, as `flux2batch models` shows it."""
    amounts = {name: show(amount) for name, amount in price.amounts.items()}
    match price.formula:
        case "free":
            return "nothing is billed: it runs on your own machine"
        case "started-megapixels":
            return (
                f"{amounts['first']} for the first started megapixel, {amounts['further']} for each further one, "
                f"{amounts['reference']} for each megapixel of a reference"
            )
        case "area":
            return f"{amounts['output']} a megapixel of the picture, {amounts['reference']} a megapixel of a reference"


def at_one_megapixel(entry: Entry) -> Quote | None:
    """What a picture of 1024x1024 costs: the figure by which models are compared."""
    return quote(entry, width=1024, height=1024, references=())
