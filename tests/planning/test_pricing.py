"""Prices against the figures that the services publish or were seen to charge."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from flux2batch.money import Money, credits
from flux2batch.planning.models.catalogue import Entry, entries
from flux2batch.planning.models.pricing import PriceOverride, cliff, estimate, quote, unit_price, unknown_price
from flux2batch.planning.shot import Quote

MEGAPIXEL = (1024, 1024)
URL = None


def of(model: str) -> Entry:
    return entries()[model]


def priced(model: str, size: tuple[int, int], *references: tuple[int, int] | None, **more: Any) -> Quote:
    found = quote(of(model), width=size[0], height=size[1], references=references, **more)
    assert found is not None
    return found


# In credits, a hundredth of a dollar: from recorded answers, BFL's examples and its calculator.
@pytest.mark.parametrize(
    ("model", "size", "references", "cost"),
    [
        ("bfl/flux-2-pro", (256, 256), (), "3.0"),
        ("bfl/flux-2-max", (256, 256), (), "7.0"),
        ("bfl/flux-2-pro", (1920, 1080), (), "4.5"),
        ("bfl/flux-2-pro", MEGAPIXEL, (), "3.0"),
        ("bfl/flux-2-pro", (1024, 2048), (), "4.5"),
        ("bfl/flux-2-pro", (2048, 2048), (), "7.5"),
        ("bfl/flux-2-pro", MEGAPIXEL, (MEGAPIXEL,), "4.5"),
        ("bfl/flux-2-pro", MEGAPIXEL, ((64, 64),), "4.5"),
        ("bfl/flux-2-pro", MEGAPIXEL, ((5000, 2000),), "9.0"),
        ("bfl/flux-2-flex", (2048, 2048), (), "20"),
        ("bfl/flux-2-flex", MEGAPIXEL, (MEGAPIXEL,), "10"),
        ("bfl/flux-2-max", (2048, 2048), (), "16"),
        ("bfl/flux-2-klein-4b", MEGAPIXEL, (), "1.4"),
        ("bfl/flux-2-klein-4b", (2048, 2048), (), "1.7"),
        ("bfl/flux-2-klein-9b", MEGAPIXEL, (MEGAPIXEL,), "1.7"),
        ("fal/flux-2-pro", MEGAPIXEL, (), "3.0"),
        ("fal/flux-2-pro", (1920, 1088), (), "4.5"),
        ("fal/flux-2-pro", MEGAPIXEL, (MEGAPIXEL,), "4.5"),
        ("fal/flux-2-flex", (1040, 1024), (), "10"),
        ("fal/flux-2-max", (2048, 2048), (), "16"),
        ("fal/flux-2-flash", MEGAPIXEL, ((512, 512),), "1.0"),
        ("fal/flux-2-turbo", MEGAPIXEL, (MEGAPIXEL,), "1.6"),
        ("fal/flux-2-klein-9b", MEGAPIXEL, (MEGAPIXEL,), "2.2"),
        ("fal/flux-2-klein-4b", MEGAPIXEL, (), "0.5"),
        ("fal/flux-2", MEGAPIXEL, (), "1.2"),
        ("fal/flux-2", MEGAPIXEL, (MEGAPIXEL,), "2.4"),
        ("local/flux-2-dev", (2048, 2048), (MEGAPIXEL,), "0"),
    ],
)
def test_a_certain_price_is_the_published_one(
    model: str, size: tuple[int, int], references: tuple[tuple[int, int], ...], cost: str
) -> None:
    found = priced(model, size, *references)

    assert (found.min, found.max) == (credits(cost), credits(cost))


@pytest.mark.parametrize(
    ("model", "size", "references", "least", "most"),
    [
        ("bfl/flux-2-pro", MEGAPIXEL, ((2000, 2000), (2000, 2000)), "0.06", "0.15"),
        ("bfl/flux-2-pro", MEGAPIXEL, (URL,), "0.045", "0.09"),
        ("bfl/flux-2-pro", MEGAPIXEL, (URL, (64, 64)), "0.06", "0.105"),
        ("fal/flux-2", (512, 512), (), "0.003", "0.012"),
        ("fal/flux-2", (1920, 1088), ((512, 512),), "0.026906", "0.036"),
        ("fal/flux-2", MEGAPIXEL, (URL,), "0.024", "0.06"),
        ("fal/flux-2-flash", (512, 512), ((2048, 2048),), "0.00625", "0.01"),
        ("fal/flux-2-klein-4b", (512, 512), (MEGAPIXEL,), "0.0125", "0.02"),
        ("fal/flux-2-pro", MEGAPIXEL, ((5000, 2000),), "0.18", "0.18"),
    ],
)
def test_an_uncertain_price_has_a_least_and_a_most(
    model: str, size: tuple[int, int], references: tuple[tuple[int, int] | None, ...], least: str, most: str
) -> None:
    found = priced(model, size, *references)

    assert (found.min, found.max) == (Decimal(least), Decimal(most))


def test_the_price_is_shown_in_its_parts() -> None:
    found = priced("bfl/flux-2-pro", (1088, 1920), (1024, 1024), (2000, 2000), URL)

    assert found.parts == (
        ("picture 2 MP", Decimal("0.045")),
        ("reference 1 MP", Decimal("0.015")),
        ("reference 1–4 MP", Decimal("0.06")),
        ("reference 1–4 MP", Decimal("0.06")),
    )
    assert sum(amount for _, amount in found.parts) == found.max


def test_frames_multiply_the_pictures_and_not_the_references() -> None:
    one = priced("fal/flux-2", MEGAPIXEL, MEGAPIXEL)
    four = priced("fal/flux-2", MEGAPIXEL, MEGAPIXEL, frames=4)

    assert (one.max, four.max) == (Decimal("0.024"), Decimal("0.06"))
    assert four.parts[0] == ("4 pictures 1 MP", Decimal("0.048"))
    assert priced("fal/flux-2-pro", (1920, 1088), MEGAPIXEL, frames=3).max == 3 * Decimal("0.045") + Decimal("0.015")


def test_a_megapixel_is_two_to_the_twentieth() -> None:
    assert priced("bfl/flux-2-pro", (1024, 1024)).max == Decimal("0.03")
    assert priced("bfl/flux-2-pro", (1024, 1040)).max == Decimal("0.045")


def test_the_study_of_the_design_costs_what_the_design_says() -> None:
    total = estimate(priced("bfl/flux-2-flex", MEGAPIXEL) for _ in range(132))

    assert (total.min, total.max, total.shots, total.unknown) == (Decimal("6.60"), Decimal("6.60"), 132, 0)


# The user's own prices.


def test_a_price_of_ones_own_is_for_the_whole_picture() -> None:
    mine = {"bfl/flux-2-pro": PriceOverride(flat=Decimal("0.02"), amounts=())}

    assert priced("bfl/flux-2-pro", (2048, 2048), MEGAPIXEL, prices=mine).max == Decimal("0.02")
    assert priced("bfl/flux-2-max", MEGAPIXEL, prices=mine).max == Decimal("0.07")


def test_a_part_of_ones_own_takes_the_place_of_the_catalogues() -> None:
    mine = {"bfl/flux-2-pro": PriceOverride(flat=None, amounts=(("further", Decimal("0.01")),))}

    assert priced("bfl/flux-2-pro", (2048, 2048), MEGAPIXEL, prices=mine).max == Decimal("0.03") + 3 * Decimal(
        "0.01"
    ) + Decimal("0.015")


def test_an_unknown_price_is_never_zero() -> None:
    unpriced = without_price(of("bfl/flux-2-pro"))
    mine = {"bfl/flux-2-pro": PriceOverride(flat=Decimal("0.02"), amounts=())}

    assert quote(unpriced, width=64, height=64, references=()) is None
    assumed = quote(unpriced, width=64, height=64, references=(), frames=2, assume=Decimal("0.10"))
    assert assumed is not None
    assert assumed.max == Decimal("0.20")
    own = quote(unpriced, width=64, height=64, references=(), prices=mine, assume=Decimal("0.10"))
    assert own is not None
    assert own.max == Decimal("0.02")
    assert (unknown_price(unpriced).code, "--assume-price" in str(unknown_price(unpriced).help)) == ("FB612", True)


def test_a_known_price_is_not_replaced_by_an_assumed_one() -> None:
    assert priced("bfl/flux-2-pro", MEGAPIXEL, assume=Decimal(9)).max == Decimal("0.03")


def test_an_estimate_counts_what_it_cannot_price() -> None:
    known = priced("fal/flux-2", (512, 512))

    total = estimate([known, None, known])

    assert (total.min, total.max, total.shots, total.unknown) == (Decimal("0.006"), Decimal("0.024"), 3, 1)


def test_a_billed_unit_of_fal_has_a_price() -> None:
    mine = {"fal/flux-2": PriceOverride(flat=None, amounts=(("output", Decimal("0.01")),))}

    assert unit_price(of("fal/flux-2"), references=0) == Money(Decimal("0.012"))
    assert unit_price(of("fal/flux-2-klein-9b"), references=2) == Money(Decimal("0.011"))
    assert unit_price(of("fal/flux-2"), references=0, prices=mine) == Money(Decimal("0.01"))
    assert unit_price(of("bfl/flux-2-pro"), references=0) is None


# Cliffs.


@pytest.mark.parametrize(
    ("size", "hint"),
    [
        ((1088, 1936), "1088×1936 bills 3 MP; 1088×1920 bills 2 ($0.015 less a picture)"),
        ((1040, 1024), "1040×1024 bills 2 MP; 1024×1024 bills 1 ($0.015 less a picture)"),
        ((1088, 1920), None),
        ((1024, 1024), None),
        ((512, 512), None),
        ((1264, 1264), None),  # a fifth would have to go
    ],
)
def test_a_hint_is_given_just_above_a_megapixel(size: tuple[int, int], hint: str | None) -> None:
    assert cliff(of("bfl/flux-2-pro"), *size) == hint


def test_no_hint_is_given_where_area_is_billed() -> None:
    assert cliff(of("fal/flux-2"), 1088, 1936) is None
    assert cliff(of("local/flux-2-dev"), 1088, 1936) is None


def without_price(entry: Entry) -> Entry:
    from dataclasses import replace

    return replace(entry, price=None, edit_price=None)
