"""Every way of writing a size, and what a model is asked for."""

# ruff: noqa: E501  # the table of faults reads as a table

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux2batch.planning.fault import Fault
from flux2batch.planning.models.catalogue import Entry, entries
from flux2batch.planning.models.sizes import Size, resolve_size

PRO = entries()["bfl/flux-2-pro"]
DEV = entries()["fal/flux-2"]  # 512 to 2048 a side


def asked(entry: Entry, params: dict[str, Any], first: tuple[int, int] | None = None, **more: bool) -> tuple[int, int]:
    size = resolve_size(entry, params, first, **more)
    assert isinstance(size, Size), size
    return size.width, size.height


def fault(entry: Entry, params: dict[str, Any], first: tuple[int, int] | None = None, **more: bool) -> Fault:
    found = resolve_size(entry, params, first, **more)
    assert isinstance(found, Fault), found
    return found


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ({}, (1024, 1024)),
        ({"size": "1024x768"}, (1024, 768)),
        ({"size": "1024×768"}, (1024, 768)),
        ({"size": " 1024 x 768 "}, (1024, 768)),
        ({"size": "landscape_16_9"}, (1024, 576)),
        ({"size": "square"}, (512, 512)),
        ({"size": {"width": 640, "height": 480}}, (640, 480)),
        ({"width": 1088, "height": 1920}, (1088, 1920)),
        ({"width": "1088", "height": "1920"}, (1088, 1920)),
        ({"width": 1088.0, "height": 1920}, (1088, 1920)),
        ({"size": {"aspect": "16:9", "megapixels": 2}}, (1920, 1088)),
        ({"aspect": "16:9", "megapixels": 2}, (1920, 1088)),
        ({"aspect": "9:16", "megapixels": "2"}, (1088, 1920)),
        ({"aspect": "1:1", "megapixels": 4}, (2048, 2048)),
        ({"aspect": "4:3"}, (1184, 880)),
        ({"aspect": "1.91:1"}, (1408, 736)),
        ({"aspect": "1,91:1"}, (1408, 736)),
        ({"aspect": "2:1", "megapixels": "0,5"}, (1024, 512)),
        ({"megapixels": 4}, (2048, 2048)),
    ],
)
def test_a_size_is_written_in_many_ways(written: dict[str, Any], size: tuple[int, int]) -> None:
    assert asked(PRO, written) == size


# (what an advertiser wants, what bfl/flux-2-pro is asked for, what fal/flux-2 is asked for)
AD_SIZES = [
    ("1080x1080", (1088, 1088), (1088, 1088)),
    ("1080x1350", (1088, 1360), (1088, 1360)),
    ("1080x1920", (1088, 1920), (1088, 1920)),
    ("1200x628", (1200, 640), (1200, 640)),
    ("1920x1080", (1920, 1088), (1920, 1088)),
    ("300x250", (304, 256), (560, 512)),
    ("728x90", (736, 96), "it draws no side shorter than 512, and of 736x512 82% would be cut away"),
    ("160x600", (160, 608), (512, 1728)),
    ("970x250", (976, 256), (1792, 512)),
    ("1200x1200", (1200, 1200), (1200, 1200)),
    ("820x312", (832, 320), (1216, 512)),
    ("1500x500", (1504, 512), (1504, 512)),
]


@pytest.mark.parametrize(("exact", "at_bfl", "at_fal"), AD_SIZES)
def test_the_twelve_ad_sizes_are_drawn_a_little_larger_and_trimmed(
    exact: str, at_bfl: tuple[int, int], at_fal: tuple[int, int] | str
) -> None:
    width, height = map(int, exact.split("x"))

    assert asked(PRO, {"size": {"exact": exact}}) == at_bfl
    if isinstance(at_fal, str):
        assert at_fal in fault(DEV, {"size": {"exact": exact}}).message
    else:
        assert asked(DEV, {"size": {"exact": exact}}) == at_fal

    size = resolve_size(PRO, {"size": {"exact": exact}}, None)
    assert isinstance(size, Size)
    trimmed = (size.trim.width, size.trim.height) if size.trim else (size.width, size.height)
    assert trimmed == (width, height)


def test_exact_pixels_that_are_legal_anyway_are_not_trimmed() -> None:
    assert resolve_size(PRO, {"size": {"exact": "1200x1200"}}, None) == Size(width=1200, height=1200, trim=None)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 2300), st.integers(1, 2300), st.sampled_from([PRO, DEV]))
def test_an_exact_size_is_covered_by_the_smallest_legal_one_that_loses_at_most_a_tenth(
    width: int, height: int, entry: Entry
) -> None:
    found = resolve_size(entry, {"size": {"exact": f"{width}x{height}"}}, None)
    legal = [
        (wide, high)
        for wide in range(entry.sizes.min_side, entry.sizes.max_side + 1, 16)
        for high in range(entry.sizes.min_side, entry.sizes.max_side + 1, 16)
        if wide >= width
        and high >= height
        and wide * high <= entry.sizes.max_pixels
        and 9 * wide * height <= 10 * high * width
        and 9 * high * width <= 10 * wide * height
    ]

    if isinstance(found, Size):
        assert found.width * found.height == min(wide * high for wide, high in legal)
        assert (found.width, found.height) in legal
    else:
        assert not legal


@pytest.mark.parametrize(
    ("entry", "first", "size"),
    [
        (PRO, (1024, 768), (1024, 768)),
        (PRO, (1000, 700), (992, 688)),
        (PRO, (6000, 4000), (2496, 1664)),
        (PRO, (8000, 1000), (4096, 512)),
        (DEV, (300, 200), (768, 512)),
        (DEV, (6000, 4000), (2048, 1360)),
    ],
)
def test_match_is_the_first_references_size_made_legal(
    entry: Entry, first: tuple[int, int], size: tuple[int, int]
) -> None:
    assert asked(entry, {"size": "match"}, first) == size
    assert asked(entry, {}, first) == size, "with references, match is the default"


def test_an_area_alone_takes_the_shape_of_the_first_reference() -> None:
    assert asked(PRO, {"megapixels": 2}, (1600, 900)) == (1920, 1088)


@pytest.mark.parametrize(
    ("entry", "params", "first", "code", "message", "remedy"),
    [
        (PRO, {"width": 1000, "height": 1024}, None, "FB204", "width must be a multiple of 16, got 1000", "nearest: 992 or 1008"),
        (PRO, {"size": "1000x1000"}, None, "FB204", "width and height must be multiples of 16, got 1000x1000", "992x992 or 1008x1008"),
        (PRO, {"size": "1024x1000"}, None, "FB204", "height must be a multiple of 16, got 1000", "{exact: 1024x1000}"),
        (PRO, {"size": "2060x2060"}, None, "FB204", "multiples of 16", "nearest: 2048x2048"),
        (PRO, {"width": 32, "height": 1024}, None, "FB204", "width must be 64 to 4096, got 32", "in steps of 16"),
        (PRO, {"width": 1024, "height": 0}, None, "FB204", "height must be 64 to 4096, got 0", ""),
        (PRO, {"width": -64, "height": 1024}, None, "FB204", "width must be 64 to 4096, got -64", ""),
        (PRO, {"width": 8192, "height": 8192}, None, "FB204", "width must be 64 to 4096, got 8192", ""),
        (PRO, {"size": "32x1024"}, None, "FB204", "width must be 64 to 4096, got 32x1024", ""),
        (DEV, {"size": "256x256"}, None, "FB204", "width and height must be 512 to 2048", "fal/flux-2 draws sides of 512"),
        (PRO, {"size": "2560x2560"}, None, "FB601", "2560x2560 is 6.25 MP, over the 4 MP", "nearest of the same shape: 2048x2048"),
        (PRO, {"width": 2560, "height": 2560}, None, "FB601", "6.25 MP, over the 4 MP", "2048x2048"),
        (PRO, {"size": "2048x2064"}, None, "FB601", "4.04 MP, over the 4 MP", ""),
        (PRO, {"megapixels": 5}, None, "FB601", "5 MP is over the 4 MP", "at most megapixels: 4"),
        (PRO, {"aspect": "wide"}, None, "FB205", "aspect must be two numbers such as 16:9, got 'wide'", ""),
        (PRO, {"aspect": "16:0"}, None, "FB205", "aspect must be two numbers", ""),
        (PRO, {"aspect": "1:1", "megapixels": 0}, None, "FB205", "megapixels must be a number above 0", ""),
        (PRO, {"aspect": "100:1", "megapixels": 0.5}, None, "FB204", "no picture of the shape 100:1", "64 to 4096"),
        (PRO, {"width": "wide", "height": 64}, None, "FB205", "width must be a whole number of pixels", ""),
        (PRO, {"width": 64}, None, "FB208", "width needs height beside it", "size: 1024x1024"),
        (PRO, {"width": 64, "aspect": "1:1"}, None, "FB208", "give either width or aspect, not both", "three ways"),
        (PRO, {"size": "64x64", "megapixels": 1}, None, "FB208", "give either size or megapixels", ""),
        (PRO, {"size": "landscape_43"}, None, "FB203", "size cannot be 'landscape_43'", "did you mean 'landscape_4_3'?"),
        (PRO, {"size": "16:9"}, None, "FB203", "the shape 16:9 alone", "{aspect: 16:9, megapixels: 1}"),
        (PRO, {"size": "huge"}, None, "FB203", "size cannot be 'huge'", "write it as 1024x1024"),
        (PRO, {"size": 1024}, None, "FB203", "size cannot be '1024'", "write it as 1024x1024"),
        (PRO, {"size": {"exact": "big"}}, None, "FB203", "exact must be WIDTHxHEIGHT", "{exact: 1080x1350}"),
        (PRO, {"size": {"exact": "0x10"}}, None, "FB203", "exact must be WIDTHxHEIGHT", ""),
        (PRO, {"size": {"exact": "3000x2000"}}, None, "FB601", "needs 3008x2000, 5.74 MP, over the 4 MP", "draw 2496x1664"),
        (PRO, {"size": {"exact": "5000x100"}}, None, "FB607", "no side longer than 4096", "another model"),
        (DEV, {"size": "match"}, (100, 5000), "FB607", "nothing of the shape of the first reference", ""),
        (PRO, {"size": "match"}, None, "FB607", "there is no reference", "write the size"),
    ],
)  # fmt: skip
def test_a_size_that_cannot_be_drawn_says_why_and_what_can(
    entry: Entry, params: dict[str, Any], first: tuple[int, int] | None, code: str, message: str, remedy: str
) -> None:
    found = fault(entry, params, first)

    assert found.code == code
    assert message in found.message
    assert remedy in (found.help or "")


@pytest.mark.parametrize("params", [{}, {"size": "match"}, {"size": {"exact": "1080x1350"}}])
def test_behind_a_first_reference_that_is_a_url_the_size_has_to_be_written(params: dict[str, Any]) -> None:
    found = fault(PRO, params, None, has_references=True)

    assert found.code == "FB607"
    assert "URL" in found.message
    assert "size: 1024x1024" in (found.help or "")


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([PRO, DEV]),
    st.fractions(min_value="1/8", max_value=8, max_denominator=50),
    st.sampled_from([0.3, 0.5, 1, 2, 3, 4]),
)
def test_a_shape_never_costs_more_megapixels_than_were_asked_for(entry: Entry, shape: Any, area: float) -> None:
    size = resolve_size(entry, {"aspect": f"{shape.numerator}:{shape.denominator}", "megapixels": area}, None)

    if isinstance(size, Size):
        assert size.width * size.height <= area * 1024 * 1024
        assert size.width % 16 == size.height % 16 == 0
        assert abs(size.width / size.height / float(shape) - 1) < 0.15
    else:
        assert size.code == "FB204"


def test_other_parameters_are_passed_over() -> None:
    assert asked(PRO, {"seed": 7, "size": "512x512", "width": None}) == (512, 512)
