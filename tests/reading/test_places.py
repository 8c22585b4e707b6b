"""Every character of a value is found where it was written, however it was written."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flux2batch.reading.document import Document, read_document
from flux2batch.reading.problems import Place

LETTERS = "abcdefghijklmnopqrstuvwxyzäßñλжあ字🦊"


def _read(text: str) -> Document:
    document, problems = read_document(text.encode(), name="job.yaml")
    assert document is not None, [problem.headline for problem in problems]
    return document


def _stretch(text: str, place: Place | None) -> str:
    """What stands at a place of one line."""
    assert place is not None
    assert place.line == place.end_line
    line = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[place.line - 1]
    assert place.line_text == line
    return line[place.column - 1 : place.end_column - 1]


# --- values and keys ------------------------------------------------------------------------------------------------

JOB = """\
flux2batch: 1
params: {size: "1024x1024", steps: 20}
sweep:
  seed: [1, 2]
  look:
    - id: warm
      text: "a {{ light }} room"
empty:
tags: [a,
  b]
"""


@pytest.mark.parametrize(
    ("steps", "key", "value"),
    [
        (("flux2batch",), "flux2batch", "1"),
        (("params",), "params", '{size: "1024x1024", steps: 20}'),
        (("params", "size"), "size", '"1024x1024"'),
        (("params", "steps"), "steps", "20"),
        (("sweep", "seed"), "seed", "[1, 2]"),
        (("sweep", "seed", 1), "2", "2"),
        (("sweep", "look", 0, "id"), "id", "warm"),
        (("sweep", "look", 0, "text"), "text", '"a {{ light }} room"'),
        (("empty",), "empty", ""),
    ],
)
def test_keys_and_values_are_found(steps: tuple[str | int, ...], key: str, value: str) -> None:
    document = _read(JOB)

    assert _stretch(JOB, document.key_place(steps)) == key
    assert _stretch(JOB, document.place(steps)) == value


def test_a_value_over_several_lines_ends_where_its_last_character_ends() -> None:
    document = _read(JOB)

    sweep, tags = document.place(("sweep",)), document.place(("tags",))

    assert sweep is not None
    assert tags is not None
    assert (sweep.line, sweep.column, sweep.end_line, sweep.end_column) == (4, 3, 7, 33)
    assert (tags.line, tags.column, tags.end_line, tags.end_column) == (9, 7, 10, 5)


def test_what_is_not_written_is_placed_at_its_nearest_parent() -> None:
    document = _read(JOB)

    assert document.place(("params", "seed")) == document.place(("params",))
    assert document.place(("sweep", "look", 7, "id")) == document.place(("sweep", "look"))
    assert document.key_place(("params", "seed")) == document.place(("params",))


def test_an_alias_is_placed_where_it_stands_and_its_inside_where_it_was_written() -> None:
    text = "a: &a {x: one}\nb: *a\n"
    document = _read(text)

    assert document.data == {"a": {"x": "one"}, "b": {"x": "one"}}
    assert _stretch(text, document.place(("b",))) == "*a"
    assert _stretch(text, document.place(("b", "x"))) == "one"
    assert _stretch(text, document.inside(("b", "x"), 1, 3)) == "ne"


def test_an_anchor_is_no_part_of_its_value() -> None:
    text = "a: &one [1]\nb: &two\n  x: 1\nc: [*one, *two]\n"
    document = _read(text)

    assert _stretch(text, document.place(("a",))) == "[1]"
    assert _stretch(text, document.place(("b",))) == "x: 1"


@pytest.mark.parametrize(
    ("yaml_text", "written", "plain"),
    [
        ("2.0", "2.0", True),
        ("1e3", "1e3", True),
        ("007", "007", True),
        ("1..5 step 2", "1..5 step 2", True),
        ("", "", True),
        ("'2.0'", "2.0", False),
        ('"1..5"', "1..5", False),
        ("|-\n  1..5", "1..5", False),
        ("[1]", None, False),
        ("{a: 1}", None, False),
    ],
)
def test_a_scalar_remembers_how_it_was_written(yaml_text: str, written: str | None, plain: bool) -> None:
    document = _read(f"x: {yaml_text}\n")

    assert document.written(("x",)) == written
    assert document.is_plain(("x",)) == plain


# --- inside of a text -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "needle", "line", "column"),
    [
        ("p: a {{ x }} b\n", "{{ x }}", 1, 6),
        ('p: "a {{ x }} b"\n', "{{ x }}", 1, 7),
        ("p: 'it''s {{ x }}'\n", "{{ x }}", 1, 11),
        ('p: "tab\\there \\u00e9 {{ x }}"\n', "{{ x }}", 1, 22),
        ('p: "\\U0001F98A {{ x }}"\n', "{{ x }}", 1, 16),
        ("p: one\n  two\n  {{ x }}\n", "{{ x }}", 3, 3),
        ('p: "one\n\n  two {{ x }}"\n', "{{ x }}", 3, 7),
        ('p: "one \\\n   two {{ x }}"\n', "{{ x }}", 2, 8),
        ("p: |\n  one\n  two {{ x }}\n", "{{ x }}", 3, 7),
        ("p: |2-\n    one\n    two {{ x }}\n\n", "{{ x }}", 3, 9),
        ("p: >\n  one\n  two\n\n  three {{ x }}\n", "{{ x }}", 5, 9),
        ("p: >+ # keep\n\n\n  one\n    deep {{ x }}\n  y\n", "{{ x }}", 5, 10),
        ("a:\n  - b:\n    - |4-\n          {{ x }}\n", "{{ x }}", 4, 11),
        ("p: |\r\n  one\r\n  two {{ x }}\r\n", "{{ x }}", 3, 7),
    ],
)
def test_a_template_is_found_inside_of_its_text(text: str, needle: str, line: int, column: int) -> None:
    document = _read(text)
    steps = _only_text(document.data)
    value = _value(document, steps)
    start = value.index(needle)

    place = document.inside(steps, start, start + len(needle))

    assert place is not None
    assert (place.line, place.column) == (line, column)
    assert _stretch(text, place) == needle


def _only_text(data: object) -> tuple[str | int, ...]:
    match data:
        case dict():
            key, value = next(iter(data.items()))
            return (key, *_only_text(value))
        case list():
            return (0, *_only_text(data[0]))
        case _:
            return ()


def _value(document: Document, steps: tuple[str | int, ...]) -> str:
    value = document.data
    for step in steps:
        value = value[step]
    assert isinstance(value, str)
    return value


def test_the_end_of_a_text_has_a_place() -> None:
    document = _read('p: "abc"\n')

    place = document.inside(("p",), 3, 3)

    assert place is not None
    assert (place.line, place.column, place.end_column) == (1, 8, 8)


@pytest.mark.parametrize(("start", "end"), [(0, 4), (-1, 2), (3, 2), (9, 9)])
def test_characters_that_are_not_there_give_the_whole_value(start: int, end: int) -> None:
    document = _read('p: "abc"\n')

    assert document.inside(("p",), start, end) == document.place(("p",))


# --- properties: every way of writing, every character ---------------------------------------------------------------

words = st.text(LETTERS, min_size=1, max_size=6)
breaks = st.sampled_from(["\n", "\r\n", "\r"])
lines = st.lists(words, min_size=1, max_size=4)
paragraphs = st.lists(lines, min_size=1, max_size=3)


def _assert_each_character_is_where_it_stands(text: str, document: Document) -> None:
    """Letters must be found as themselves; what stands for a break or an escape must be found on its own line."""
    steps = _only_text(document.data)
    value = _value(document, steps)
    for number, character in enumerate(value):
        place = document.inside(steps, number, number + 1)
        assert place is not None
        if character in LETTERS and "\\" not in text:
            assert _stretch(text, place) == character
    # Places go forward through the text, and none is used twice but by what an escape or a fold made.
    starts = [_position(document.inside(steps, number, number + 1)) for number in range(len(value))]
    assert starts == sorted(set(starts))


def _position(place: Place | None) -> tuple[int, int]:
    assert place is not None
    return place.line, place.column


@settings(deadline=None)
@given(paragraphs, breaks, st.integers(1, 4), st.data())
def test_each_character_of_a_folded_plain_text(
    parts: list[list[str]], end: str, indent: int, data: st.DataObject
) -> None:
    text = _written_over_lines(parts, end, indent, data)
    document = _read(f"k: {text}{end}")

    _assert_each_character_is_where_it_stands(f"k: {text}{end}", document)


@settings(deadline=None)
@given(paragraphs, breaks, st.integers(1, 4), st.sampled_from(["'", '"']), st.data())
def test_each_character_of_a_quoted_text(
    parts: list[list[str]], end: str, indent: int, quote: str, data: st.DataObject
) -> None:
    inner = _written_over_lines(parts, end, indent, data)
    text = f"k: {quote}{inner}{quote}{end}"

    _assert_each_character_is_where_it_stands(text, _read(text))


def _written_over_lines(parts: list[list[str]], end: str, indent: int, data: st.DataObject) -> str:
    """Words over lines; a paragraph ends with an empty line, trailing blanks are no part of the value."""
    blank = st.sampled_from(["", " ", "  "])
    written = []
    for paragraph in parts:
        folded = [" ".join([word, word]) + data.draw(blank) for word in paragraph]
        written.append(f"{end}{' ' * indent}".join(folded))
    return f"{end}{end}{' ' * indent}".join(written)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), words), min_size=1, max_size=6),
    st.sampled_from("|>"),
    st.sampled_from(["", "-", "+"]),
    st.booleans(),
    st.integers(1, 4),
    breaks,
    st.integers(0, 3),
)
def test_each_character_of_a_block_text(
    parts: list[tuple[int, str]], style: str, chomp: str, explicit: bool, indent: int, end: str, tail: int
) -> None:
    if not explicit:
        parts = [(0, parts[0][1]), *parts[1:]]
    body = "".join(f"{' ' * (indent + deeper)}{word}{end}" for deeper, word in parts)
    text = f"k: {style}{indent if explicit else ''}{chomp}{end}{body}{end * tail}z: 1{end}"
    document = _read(text)

    _assert_each_character_is_where_it_stands(text, document)
    assert document.data["k"] == yaml.safe_load(text)["k"]


ESCAPES = {
    "\\n": "\n",
    "\\t": "\t",
    '\\"': '"',
    "\\\\": "\\",
    "\\x41": "A",
    "\\u00e9": "é",
    "\\U0001F98A": "🦊",
    "\\/": "/",
}


@settings(deadline=None)
@given(st.lists(st.one_of(st.sampled_from(sorted(ESCAPES)), words), min_size=1, max_size=10))
def test_each_escape_is_found_where_it_begins(parts: list[str]) -> None:
    text = f'k: "{"".join(parts)}"\n'
    document = _read(text)
    at = 0
    for part in parts:
        meaning = ESCAPES.get(part, part)
        assert document.data["k"][at : at + len(meaning)] == meaning
        assert _stretch(text, document.inside(("k",), at, at + len(meaning))) == part
        at += len(meaning)


@settings(deadline=None)
@given(st.lists(st.one_of(st.just("''"), words), min_size=1, max_size=10))
def test_each_doubled_quote_is_found_where_it_stands(parts: list[str]) -> None:
    text = f"k: '{''.join(parts)}'\n"
    document = _read(text)
    at = 0
    for part in parts:
        width = 1 if part == "''" else len(part)
        assert _stretch(text, document.inside(("k",), at, at + width)) == part
        at += width


# --- the same values as PyYAML reads ---------------------------------------------------------------------------------

values = st.recursive(
    st.one_of(
        st.text(LETTERS + " :#-'\"{}[],&*!|>%@`?\n\t\\0123.", max_size=20), st.integers(-(2**63), 2**63), st.none()
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(words, inner, max_size=4)),
    max_leaves=12,
)


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, so that equal values are written twice."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # PyYAML's name
        return True


def _texts(data: object) -> Any:
    match data:
        case dict():
            return {key: _texts(value) for key, value in data.items()}
        case list():
            return [_texts(value) for value in data]
        case _:
            return f"{data}"


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(words, values, min_size=1, max_size=4),
    st.booleans(),
    st.integers(20, 200),
    st.sampled_from([None, '"', "'", "|", ">"]),
)
def test_each_scalar_is_read_as_pyyaml_reads_it(data: Any, flow: bool, width: int, style: str | None) -> None:
    """Scalars as texts, for what a text means is where YAML 1.1 and 1.2 part; numbers in a style would get a tag."""
    data = data if style is None else _texts(data)
    text = yaml.dump(
        data, Dumper=_Dumper, default_flow_style=flow, width=width, default_style=style, allow_unicode=True
    )
    document = _read(text)

    assert _as_written(document, document.data, ()) == yaml.load(text, Loader=yaml.BaseLoader)


def _as_written(document: Document, data: object, steps: tuple[str | int, ...]) -> Any:
    match data:
        case dict():
            return {key: _as_written(document, value, (*steps, key)) for key, value in data.items()}
        case list():
            return [_as_written(document, value, (*steps, number)) for number, value in enumerate(data)]
        case _:
            return document.written(steps)
