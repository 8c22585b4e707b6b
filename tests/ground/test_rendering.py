"""How problems look: exactly, in every form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from flux2batch.reading.problems import Note, Place, Problem, error, warning
from flux2batch.reading.rendering import Format, render
from flux2batch.safe_text import safe, safe_line
from flux2batch.text_width import cells, shortened

ROOT = Path(__file__).resolve().parents[2]


def at(line: int, column: int, end: int, text: str | None, *, file: str = "msg/bad.yaml") -> Place:
    return Place(file=file, line=line, column=column, end_line=line, end_column=end, line_text=text)


def shown(*problems: Problem, format: Format = "text", colour: bool = False, width: int = 140) -> str:
    return render(problems, format=format, colour=colour, width=width)


UNKNOWN_KEY = error(
    "FB201", "unknown key 'modle'", where=at(4, 5, 10, "    modle: flux-2-pro"), steps=("modle",),
    help="did you mean 'model'?",
)  # fmt: skip
TWICE = error(
    "FB113", "key 'version' appears twice in this mapping", where=at(12, 1, 8, "version: 2"),
    notes=[Note(text="first at line 1", where=at(1, 1, 8, "version: 1"))],
)  # fmt: skip


def test_the_form_is_that_of_a_compiler() -> None:
    assert shown(UNKNOWN_KEY, TWICE) == (
        "error[FB201]: unknown key 'modle'\n"
        " --> msg/bad.yaml:4:5\n"
        "  |\n"
        "4 |     modle: flux-2-pro\n"
        "  |     ^^^^^\n"
        "  = help: did you mean 'model'?\n"
        "\n"
        "error[FB113]: key 'version' appears twice in this mapping\n"
        "  --> msg/bad.yaml:12:1\n"
        "   |\n"
        "12 | version: 2\n"
        "   | ^^^^^^^\n"
        "   = note: first at line 1\n"
    )


def test_problems_come_in_the_order_of_the_file_and_each_once() -> None:
    assert shown(TWICE, UNKNOWN_KEY, TWICE) == shown(UNKNOWN_KEY, TWICE)


def test_nothing_to_say_is_nothing() -> None:
    assert (shown(), shown(format="concise"), shown(format="github")) == ("", "", "")


# The line, what stands under it, for a fault at the columns [start, end)
CARETS = [
    ("latin",          'prompt: "ab"',        9, 13, 'prompt: "ab"',        '        ^^^^'),
    ("wide before",    "画家: モデル x",        9, 10, "画家: モデル x",        "             ^"),
    ("wide inside",    "k: 漢字",              4, 6,  "k: 漢字",              "   ^^^^"),
    ("combining",      "e\u0301é: x",         5, 6,  "e\u0301é: x",         "   ^"),
    ("tab before",     "\tx: 1",              2, 3,  "    x: 1",            "    ^"),
    ("tab inside",     "a\tb",                1, 4,  "a    b",              "^^^^^^"),
    ("emoji",          "🦊🦊: x",              5, 6,  "🦊🦊: x",              "      ^"),
    ("control",        "a\x1b[2Jb: c",        6, 7,  "a\\x1b[2Jb: c",       "        ^"),
    ("bidi",           "a\u202eb: c",         3, 4,  "a\\u202eb: c",        "       ^"),
    ("nothing",        "a: ",                 4, 4,  "a:",                  "   ^"),
    ("past the end",   "a:",                  9, 9,  "a:",                  "  ^"),
    ("empty line",     "",                    1, 1,  "",                    "^"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "start", "end", "source", "carets"), [c[1:] for c in CARETS], ids=[c[0] for c in CARETS]
)
def test_the_caret_stands_under_the_fault(line: str, start: int, end: int, source: str, carets: str) -> None:
    lines = shown(error("FB201", "x", where=at(3, start, end, line))).splitlines()

    assert lines[3:5] == [f"3 | {source}".rstrip(), f"  | {carets}"]


def test_a_fault_over_several_lines_is_underlined_to_the_end_of_its_first() -> None:
    place = Place(file="a", line=2, column=4, end_line=5, end_column=2, line_text="a: [1,")

    assert shown(error("FB100", "x", where=place)).splitlines()[4] == "  |    ^^^"


@pytest.mark.parametrize("column", [1, 60, 119, 121, 5_000, 999_950, 1_000_000])
def test_of_a_line_of_a_megabyte_the_part_around_the_fault_is_shown(column: int) -> None:
    line = "".join(chr(97 + n % 26) for n in range(1_000_000))
    lines = shown(error("FB100", "x", where=at(1, column, column + 1, line))).splitlines()
    source, carets = lines[3][4:], lines[4][4:]

    assert len(source.strip("…")) == 120
    assert carets.strip() == "^"
    assert source[carets.index("^")] == line[column - 1]


def test_in_a_narrow_terminal_less_of_the_line_is_shown() -> None:
    lines = shown(error("FB100", "x", where=at(1, 200, 201, "x" * 400)), width=60).splitlines()

    assert max(map(len, lines)) <= 60


def test_a_note_elsewhere_says_where() -> None:
    here, there = at(2, 1, 2, "b"), at(7, 3, 4, "c", file="other.yaml")
    text = shown(
        error("FB211", "x", where=here, notes=[Note(text="the first", where=there), Note(text="near", where=here)])
    )

    assert "  = note: the first (other.yaml:7:3)\n  = note: near (line 2)\n" in text


def test_a_problem_without_a_line_or_a_place_needs_none() -> None:
    cell = error("FB313", "5 cells, header has 4", where=at(7, 1, 1, None, file="data.xlsx"), help="take one away")
    nowhere = error("FB801", "no BFL_API_KEY", where=None)

    assert shown(nowhere, cell) == (
        "error[FB801]: no BFL_API_KEY\n\n"
        "error[FB313]: 5 cells, header has 4\n --> data.xlsx:7:1\n  = help: take one away\n"
    )  # fmt: skip


def test_help_of_several_lines_keeps_its_shape() -> None:
    text = shown(error("FB201", "x", where=at(1, 1, 2, "a"), help="one of\nred\nblue"))

    assert text.endswith("  = help: one of\n          red\n          blue\n")


def test_text_from_outside_cannot_forge_a_line_or_steer_the_terminal() -> None:
    evil = "x\nerror[FB999]: forged\x1b]0;title\x07\u202e"
    text = shown(error("FB201", evil, where=at(1, 1, 2, "a", file=f"a{evil}.yaml"), help=evil, notes=[evil]))

    assert not any(line.startswith("error[FB999]") for line in text.splitlines())
    assert not set(text) & set("\x1b\x07\u202e")
    for format in ("concise", "json", "github", "sarif"):
        form: Format = format
        assert not set(shown(error("FB201", evil, where=None), format=form)) & set("\x1b\x07\u202e")


def test_colour_is_added_and_changes_no_word() -> None:
    import re

    painted = shown(UNKNOWN_KEY, TWICE, colour=True)

    assert painted.startswith("\x1b[1;31merror[FB201]\x1b[0m")
    assert re.sub(r"\x1b\[[\d;]*m", "", painted) == shown(UNKNOWN_KEY, TWICE)


def test_concise_is_one_line_each() -> None:
    noted = warning("FB121", "text after ' #' is dropped", where=at(9, 1, 2, "x"))

    assert shown(UNKNOWN_KEY, noted, format="concise") == (
        "msg/bad.yaml:4:5: FB201 unknown key 'modle' (did you mean 'model'?)\n"
        "msg/bad.yaml:9:1: FB121 warning: text after ' #' is dropped\n"
    )


def test_fifty_are_shown_and_the_rest_is_counted_but_programs_get_all() -> None:
    many = [error("FB201", f"unknown key {n}", where=at(n, 1, 2, "x")) for n in range(1, 101)]

    assert shown(*many, format="concise").splitlines()[-1] == "… 50 more"
    assert shown(*many).count("error[FB201]") == 50
    assert len(json.loads(shown(*many, format="json"))["problems"]) == 100
    assert len(json.loads(shown(*many, format="sarif"))["runs"][0]["results"]) == 100


def test_json_is_what_its_schema_says() -> None:
    schema = json.loads((ROOT / "schemas" / "diagnostics.schema.json").read_text(encoding="utf-8"))
    nested = error("FB205", "x", where=at(1, 2, 3, "abc"), steps=("sweep", "a/b~c", 2))
    document = json.loads(shown(UNKNOWN_KEY, TWICE, nested, error("FB801", "no key", where=None), format="json"))

    Draft7Validator.check_schema(schema)
    assert list(Draft7Validator(schema).iter_errors(document)) == []
    assert document["errors"] == 4
    assert [problem["path"] for problem in document["problems"]] == ["", "/sweep/a~1b~0c/2", "/modle", ""]
    assert document["problems"][2] == {
        "code": "FB201", "severity": "error", "file": "msg/bad.yaml", "line": 4, "col": 5, "end_line": 4, "end_col": 10,
        "path": "/modle", "message": "unknown key 'modle'", "help": "did you mean 'model'?", "notes": [],
        "docs": "flux2batch explain FB201",
    }  # fmt: skip


def test_github_gets_a_workflow_command() -> None:
    odd = error("FB201", "100% wrong\nreally", where=at(4, 5, 10, "x", file="a,b:c.yaml"), help="mend")

    assert shown(odd, format="github") == (
        "::error file=a%2Cb%3Ac.yaml,line=4,col=5,endLine=4,endColumn=9,title=FB201 unknown key"
        "::100%25 wrong%0Areally%0Ahelp: mend\n"
    )


def test_sarif_names_rules_places_and_related_places() -> None:
    log = json.loads(shown(UNKNOWN_KEY, TWICE, format="sarif"))
    (run,) = log["runs"]
    first, second = run["results"]

    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["FB113", "FB201"]
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("FB201", 1, "error")
    assert first["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 4, "startColumn": 5, "endLine": 4, "endColumn": 10,
    }  # fmt: skip
    assert second["relatedLocations"][0]["message"] == {"text": "first at line 1"}
    assert run["columnKind"] == "unicodeCodePoints"


def test_sarif_writes_a_file_name_as_an_address() -> None:
    log = json.loads(shown(error("FB201", "x", where=at(1, 1, 2, "x", file="ä b.yaml")), format="sarif"))

    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "%C3%A4%20b.yaml"


# Text and its width

SAFE = [
    ("plain",               "a b é 漢 🦊",              "a b é 漢 🦊"),
    ("newline and tab",     "a\n\tb",                   "a\n\tb"),
    ("escape",              "\x1b[2J",                  "\\x1b[2J"),
    ("carriage return",     "ok\rno",                   "ok\\rno"),
    ("C1",                  "\x9b31m",                  "\\x9b31m"),
    ("DEL",                 "\x7f",                     "\\x7f"),
    ("bidi",                "\u202e\u2066\u200f",       "\\u202e\\u2066\\u200f"),
    ("zero width",          "a\u200bb\ufeff\u2060",     "a\\u200bb\\ufeff\\u2060"),
    ("tags",                "a\U000e0041",              "a\\U000e0041"),
    ("line separators",     "a\u2028b\u2029",           "a\\u2028b\\u2029"),
    ("half a character",    "\udc80",                   "\\udc80"),
    ("a filler",            "a\u3164b",                 "a\\u3164b"),
    ("joined emoji",        "👩\u200d🚀",               "👩\u200d🚀"),
    ("Persian",             "می\u200cخواهم",            "می\u200cخواهم"),
    ("joiner in latin",     "pay\u200dpal",             "pay\\u200dpal"),
    ("joiner at an end",    "漢\u200d",                 "漢\\u200d"),
    ("joiners in a row",    "漢\u200d\u200d漢",         "漢\\u200d\\u200d漢"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in SAFE], ids=[case[0] for case in SAFE])
def test_what_cannot_be_seen_is_written_out(text: str, expected: str) -> None:
    assert safe(text) == expected


def test_every_control_character_is_written_out() -> None:
    controls = {chr(n) for n in (*range(32), *range(127, 160))} - {"\n", "\t"}

    assert not controls & set(safe("".join(sorted(controls))))
    assert safe_line("a\nb\tc") == "a\\nb\\tc"


@pytest.mark.parametrize(
    ("text", "width", "expected"), [("abcdef", 4, "abc…"), ("漢字漢字", 5, "漢字…"), ("abc", 3, "abc")]
)
def test_a_text_is_cut_by_cells(text: str, width: int, expected: str) -> None:
    assert shortened(text, width) == expected
    assert cells(shortened(text, width)) <= width
