"""A line that is too wide for a terminal is broken between words, and a command in it can still be copied."""

from __future__ import annotations

import pytest

from flux2batch.commands.wrapping import broken

LONG = "  1 shot may have been paid for, but the answer never came. Nothing is sent again until you say so:"
COMMAND = "  flux2batch resolve runs/mixed.emulated --shot 6c6eb003 --abandon"


def lines(*parts: str, width: int) -> list[str]:
    return ["".join(text for text, _ in line) for line in broken([(part, None) for part in parts], width)]


def test_a_line_that_fits_stays_as_it_is() -> None:
    assert lines("a  line", " of parts", width=16) == ["a  line of parts"]


@pytest.mark.parametrize("width", [79, 40, 20])
def test_no_word_is_broken_and_none_is_lost(width: int) -> None:
    said = lines(LONG, width=width)

    assert all(len(line) <= width for line in said)
    assert " ".join(" ".join(said).split()) == LONG.strip()
    assert all(line.startswith("    ") for line in said[1:])


def test_a_remark_goes_below_its_command_and_the_command_stays_whole() -> None:
    said = lines(COMMAND, "  give it up; its possible charge stays in the books", width=79)

    assert said == [COMMAND, "    give it up; its possible charge stays in the books"]


def test_what_has_no_place_to_be_broken_is_left_to_the_terminal() -> None:
    assert lines("/a/path/" + "x" * 100, width=40) == ["/a/path/" + "x" * 100]
