"""A document is plain data of YAML 1.2's core types, or problems; a file that cannot be read is a problem too."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux2batch.errors import InvalidInput
from flux2batch.reading.document import document_of, read_document, read_file
from flux2batch.reading.problems import Problem, has_errors


def _read(text: str | bytes) -> Any:
    raw = text if isinstance(text, bytes) else text.encode()
    document, problems = read_document(raw, name="job.yaml")
    assert document is not None, [problem.headline for problem in problems]
    return document.data


def _problems(text: str) -> tuple[Problem, ...]:
    _, problems = read_document(text.encode(), name="job.yaml")
    assert has_errors(problems)
    return problems


# --- types ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None), ("nULL", "nULL"), ("none", "none"),
        ("true", True), ("True", True), ("FALSE", False), ("tRUE", "tRUE"),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("N", "N"),
        ("0", 0), ("-0", 0), ("+7", 7), ("-12", -12), ("010", 10), ("09", 9),
        ("0x10", 16), ("0xFf", 255), ("0o17", 15), ("-0x10", "-0x10"), ("0b1", "0b1"), ("1_000", "1_000"),
        ("1.0", 1.0), ("1.", 1.0), (".5", 0.5), ("-1.5e3", -1500.0), ("1e3", 1000.0), ("1e", "1e"), (".", "."),
        ("16:9", "16:9"), ("1:30", "1:30"), ("2026-01-02", "2026-01-02"), ("12:30:45", "12:30:45"),
        ("1..5", "1..5"), ("1.5..6 count 4", "1.5..6 count 4"), ("20#1000", "20#1000"), ("1024x1024", "1024x1024"),
        ("=", "="), ("a#b", "a#b"), ("a:b", "a:b"), ("https://a.example/x", "https://a.example/x"),
        ("'1'", "1"), ('"true"', "true"), ("''", ""), ('""', ""), ("'~'", "~"),
    ],
)  # fmt: skip
def test_a_scalar_means_what_yaml_1_2_says(written: str, value: Any) -> None:
    read = _read(f"x: {written}\n")["x"]

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: [1, [2, {b: 3}], x y, 'z']\n", {"a": [1, [2, {"b": 3}], "x y", "z"]}),
        ("a: [why not?, really? yes]\n", {"a": ["why not?", "really? yes"]}),
        ("a: [x:y, :z, -1, -w, a-b]\n", {"a": ["x:y", ":z", -1, "-w", "a-b"]}),
        ('a: {"b":1,"c":[2]}\n', {"a": {"b": 1, "c": [2]}}),
        ('{"a": {"b": "c\\/d"}}', {"a": {"b": "c/d"}}),
        ("a: [b: c, d]\n", {"a": [{"b": "c"}, "d"]}),
        ("a:\n- b\n- c\n", {"a": ["b", "c"]}),
        ("a:\n  -\n    b: c\n  - - d\n", {"a": [{"b": "c"}, ["d"]]}),
        ("a: one\n  two\n\n  three\n", {"a": "one two\nthree"}),
        ("a: [one\n  two, three\n  ]\n", {"a": ["one two", "three"]}),
        ("--- # begins\na: b\n...\n", {"a": "b"}),
        ("%YAML 1.2\n---\na: b\n", {"a": "b"}),
        ("? a\n: b\n", {"a": "b"}),
        ("a: |\n  x\n\n  y\nb: >-\n  x\n  y\n\n", {"a": "x\n\ny\n", "b": "x y"}),
        ("a: |\n      \n  x\n", {"a": "\nx\n"}),
        ("a: it's\nb: 5'\nc: x\"y\n", {"a": "it's", "b": "5'", "c": 'x"y'}),
        ("a: x @ y % z ` & * ! | > {w} [v]\n", {"a": "x @ y % z ` & * ! | > {w} [v]"}),
        ("größe: 1\nキー: 2\n🦊: 3\n", {"größe": 1, "キー": 2, "🦊": 3}),
        ("\"a b\": 1\n'c': 2\n", {"a b": 1, "c": 2}),
    ],
)
def test_the_forms_of_yaml(text: str, value: Any) -> None:
    assert _read(text) == value


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_line_breaks_of_any_kind_are_one_and_the_same(line_break: str) -> None:
    text = 'a: |\n  x\n  y\nb: "p\n  q"\nc: u\n  v\n# end\nd: >\n  m\n  n\n'

    assert _read(text.replace("\n", line_break)) == {"a": "x\ny\n", "b": "p q", "c": "u v", "d": "m n\n"}


def test_characters_that_other_tools_take_for_line_breaks_stay_in_their_text() -> None:
    assert _read("a: x\u2028y\nb: [p\u2029q]\n") == {"a": "x\u2028y", "b": ["p\u2029q"]}


def test_colours_braces_pipes_and_quotes_arrive_as_they_were_written() -> None:
    text = "prompt: '#0047AB { | } \"x\" %s $y <z> \\n'\n"

    assert _read(text)["prompt"] == '#0047AB { | } "x" %s $y <z> \\n'


def test_an_alias_shares_nothing_but_its_value() -> None:
    assert _read("a: &x [1]\nb: *x\nc: {d: *x}\n") == {"a": [1], "b": [1], "c": {"d": [1]}}


def test_the_last_of_two_equal_anchors_counts() -> None:
    assert _read("a: &x [1]\nb: *x\nc: &x [2]\nd: *x\n") == {"a": [1], "b": [1], "c": [2], "d": [2]}


def test_where_anything_is_expected_a_single_value_will_do() -> None:
    for text, value in (("1..5", "1..5"), ("[1, 2]", [1, 2]), ("", None), ("7", 7)):
        document, problems = read_document(text.encode(), name="--set", expected="anything")
        assert document is not None
        assert (document.data, problems) == (value, ())


# --- words of messages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("prompt: A cat: a dog\n", "': ' inside of a value that is not quoted", 'quote it: "A cat: a dog"'),
        ("prompt: @cat\n", "'@' cannot start a plain value", 'quote it: "@cat"'),
        ("prompt: {{ x }} cat\n", "a template must stand in quotes", 'quote it: "{{ x }} cat"'),
        ("prompt: color #ff0000 cat\n", "text after ' #' is a comment", 'quote it: "color #ff0000 cat"'),
        ("a: [1, 2\nb: c\n", "'[' opened here is never closed", "close it with ']'"),
        ("a: 'b\n", "the quote opened here is never closed", "close it with '"),
        ("a:\n\tb: 1\n", "a tab is used for indentation", "use spaces"),
        ("a:\n    - 1\n   - 2\n", "this list item stands in column 4", "expected column 5, like line 2"),
        ("a: b\n  c: d\n", "this line stands in column 3", "expected column 1, like line 1"),
        ("a: 1\na: 2\n", "key 'a' appears twice in this mapping", "delete one of the two"),
        ("a: *b\n", "the alias '*b' stands for nothing", "mark a value with '&b' above"),
        ("a: &base [1]\nb: *bose\n", "the alias '*bose' stands for nothing", "did you mean 'base'?"),
        ("<<: {a: 1}\n", "merge keys ('<<') are not part of YAML 1.2", "write the keys out"),
        ("a: {b:c}\n", "a space is missing after ':'", "write 'b: c'"),
        ("prompt:cat\nname: x\n", "a space is missing after ':'", "write 'prompt: …'"),
        ("1: a\n", "keys must be words, got 1", 'quote it: "1"'),
        ("a: {b: 8,00}\n", "keys must be words, got 00", "is 8.00 meant?"),
        ("a: {b: #0047AB}\n", "text after ' #' is a comment", 'quote it: "#0047AB"'),
        ("a: b: c # d\n", "': ' inside of a value", 'quote it: "b: c"'),
        ("a: [b, {{ c }}, d]\n", "a template must stand in quotes", 'quote it: "{{ c }}"'),
        ("a: {{ b }}{{ c }}\n", "a template must stand in quotes", 'quote it: "{{ b }}{{ c }}"'),
        ("a: .nan\n", "'.nan' is not a number that can be used", "give a number with digits"),
        ("- a\n", "expected a mapping with 'flux2batch' and 'prompt', got a list", "a job begins with"),
        ("prompt:cat\n", "expected a mapping", "a space is missing after 'prompt:'"),
        ("a\u202eb: 1\n", "U+202E RIGHT-TO-LEFT OVERRIDE cannot be seen", "delete it"),
        ('a: "x\\qy"\n', "'\\q' is no escape that YAML knows", "write \\\\ for a backslash"),
        ("", "the file is empty", "'flux2batch init' writes a first job"),
    ],
)
def test_a_message_names_the_mistake_and_the_way_out(text: str, message: str, help: str) -> None:
    problem = _problems(text)[0]

    assert problem.message.startswith(message)
    assert problem.help is not None
    assert problem.help.startswith(help)


@pytest.mark.parametrize(
    "value", ["@cat", "A cat: a dog", "{{ x }} y", "color #ff0000 cat", '@say "hi"', "*star on a hill", "- dash", "`x`"]
)
def test_the_help_for_a_value_that_must_be_quoted_is_itself_right(value: str) -> None:
    help = _problems(f"prompt: {value}\n")[0].help

    assert help is not None
    assert _read(f"prompt: {help.removeprefix('quote it: ')}\n") == {"prompt": value}


def test_a_duplicate_names_its_first_line() -> None:
    note = _problems("a: 1\nb: 2\na: 3\n")[0].notes[0]

    assert note.text == "first at line 1"
    assert note.where is not None
    assert (note.where.line, note.where.column) == (1, 1)


def test_tabs_on_many_lines_are_one_problem() -> None:
    problems = _problems("a:\n\tb: 1\n\tc: 2\n\td: 3\n")

    assert [problem.code for problem in problems] == ["FB100"]
    assert problems[0].notes[0].text == "the same in line 3, 4"


def test_a_bracket_that_a_comment_swallowed_is_explained() -> None:
    problems = _problems("a: [red #sale, blue]\n")

    assert any("' #' in line 1" in note.text for note in problems[0].notes)


def test_problems_know_the_way_to_their_value() -> None:
    problems = _problems("a: 1\nsweep:\n  seed: [1, .nan]\n  look:\n    - {id: x, id: y}\n")

    assert [problem.steps for problem in problems] == [("sweep", "seed", 1), ("sweep", "look", 0)]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"a: 1\na: 2\nb: 3\n", {"a": 1, "b": 3}),
        (b"a: caf\xe9\nb: 3\n", {"a": "caf\ufffd", "b": 3}),
        (b"a: x\x07y\nb: 3\n", {"a": "x\ufffdy", "b": 3}),
        (b"a: #0047AB\nb: 3\n", {"a": "#0047AB", "b": 3}),
    ],
)
def test_an_error_that_leaves_the_other_values_known_comes_with_a_document(text: bytes, data: Any) -> None:
    document, problems = read_document(text, name="job.yaml")

    assert has_errors(problems)
    assert document is not None
    assert document.data == data


@pytest.mark.parametrize(
    "text", ["a: @x\n", "a: [1\n", "1: a\n", "a: .nan\n", "a: *b\n", "a: !env x\n", "a: 1\n---\nb: 2\n"]
)
def test_an_error_behind_which_others_would_be_guesses_comes_alone(text: str) -> None:
    document, problems = read_document(text.encode(), name="job.yaml")

    assert has_errors(problems)
    assert document is None


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_document_or_problems(raw: bytes) -> None:
    document, problems = read_document(raw, name="job.yaml")

    assert document is not None or problems


tokens = st.sampled_from(
    ["a", "b: ", "c:", "- ", "? ", ": ", "[", "]", "{", "}", ", ", "'", '"', "|", ">", "&x ", "*x", "!t ", "#", " ",
     "\n", "\n  ", "\n    ", "\t", "---", "...", "%", "@", "`", "\\", "{{ x }}", "1", "~", "\r", "\u2028", "é", "\x07",
     "<<: "]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(tokens, max_size=30).map("".join))
def test_every_problem_lies_inside_of_the_file(text: str) -> None:
    _, problems = read_document(text.encode(), name="job.yaml")

    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in problems:
        place = problem.where
        assert place is not None
        assert 1 <= place.line <= place.end_line <= len(lines)
        assert 1 <= place.column <= len(lines[place.line - 1]) + 1
        assert (place.end_line, place.end_column) >= (place.line, place.column)
        assert place.end_column <= len(lines[place.end_line - 1]) + 1


# --- Python data ---------------------------------------------------------------------------------------------------


def test_python_data_becomes_plain_data() -> None:
    data = {
        "path": PurePosixPath("a/b"),
        "tuple": (1, 2.5, True, None),
        "ordered": {"x": Fraction(1, 2)},
        "decimal": Decimal(3).__int__(),
    }
    document = document_of(data)

    assert document.data == {"path": "a/b", "tuple": [1, 2.5, True, None], "ordered": {"x": 0.5}, "decimal": 3}
    assert document.place(("tuple", 0)) is None
    assert document.key_place(("tuple",)) is None
    assert document.inside(("path",), 0, 1) is None
    assert not document.is_plain(("path",))


@pytest.mark.parametrize(
    ("value", "written"),
    [("x", "x"), (2.0, "2.0"), (7, "7"), (True, "true"), (None, "null"), ([1], None), ({}, None)],
)
def test_python_data_is_shown_as_yaml_would_write_it(value: Any, written: str | None) -> None:
    assert document_of({"k": value}).written(("k",)) == written


def test_python_data_is_copied() -> None:
    data: dict[str, Any] = {"a": [1]}
    document = document_of(data)
    data["a"].append(2)

    assert document.data == {"a": [1]}


def _endless() -> dict[str, Any]:
    data: dict[str, Any] = {}
    data["again"] = data
    return data


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({1: "a"}, "FB112"),
        ({"a": {None: 1}}, "FB112"),
        ({"a": float("nan")}, "FB114"),
        ({"a": float("inf")}, "FB114"),
        ({"a": 2**63 + 1}, "FB114"),
        ({"a": object()}, "FB103"),
        ({"a": b"bytes"}, "FB103"),
        (_endless(), "FB106"),
        ({"a": [0] * 60_000}, "FB105"),
    ],
)
def test_python_data_that_no_file_could_hold_is_refused(data: Mapping[Any, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        document_of(data)

    assert raised.value.problems[0].code == code
    assert raised.value.exit_code == 3


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "job.yaml").write_bytes(b"flux2batch: 1\n")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "a.yaml").write_text("x")
    return tmp_path


def _refused(path: Path, name: str | None = None) -> Problem:
    raw, problems = read_file(path, name=name or path.name)
    assert raw is None
    (problem,) = problems
    assert problem.where is not None
    assert problem.where.file == (name or path.name)
    return problem


def test_a_file_is_read_as_it_is(folder: Path) -> None:
    assert read_file(folder / "job.yaml", name="job.yaml") == (b"flux2batch: 1\n", ())


@pytest.mark.parametrize("wrong", ["jobs.yml", "job.yml", "Job.yaml", "jop.yaml", "job"])
def test_a_missing_file_names_the_one_beside_it(folder: Path, wrong: str) -> None:
    problem = _refused(folder / wrong, f"somewhere/{wrong}")

    assert (problem.code, problem.help) == ("FB001", "did you mean 'somewhere/job.yaml'?")


def test_a_missing_folder_names_the_one_beside_it(folder: Path) -> None:
    problem = _refused(folder / "jbos" / "a.yaml")

    assert (problem.code, problem.help) == ("FB001", "did you mean the folder 'jobs'?")


def test_a_file_in_place_of_a_folder_is_a_missing_file(folder: Path) -> None:
    assert _refused(folder / "job.yaml" / "x.yaml").code == "FB001"


def test_a_folder_names_a_job_inside(folder: Path) -> None:
    problem = _refused(folder / "jobs", "jobs/")

    assert (problem.code, problem.help) == ("FB002", "did you mean 'jobs/a.yaml'?")


def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")

    assert _refused(folder / "pipe.yaml").message == "not a readable file: it is a named pipe"


def test_a_device_and_a_socket_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.yaml")

        assert _refused(Path("socket.yaml")).code == "FB002"
    assert _refused(Path("/dev/zero")).code == "FB002"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read_it_says_so(folder: Path) -> None:
    (folder / "job.yaml").chmod(0)

    assert _refused(folder / "job.yaml").message == "not a readable file: permission denied"


@pytest.mark.parametrize("name", ["a\0b.yaml", "x" * 300 + ".yaml"])
def test_a_name_that_no_file_can_have_is_refused(folder: Path, name: str) -> None:
    assert _refused(folder / name).code in ("FB001", "FB002")


def test_a_link_in_a_circle_is_refused(folder: Path) -> None:
    (folder / "circle.yaml").symlink_to("circle.yaml")

    assert _refused(folder / "circle.yaml").code == "FB002"


def test_a_file_over_1_mb_is_not_read_to_its_end(folder: Path) -> None:
    (folder / "job.yaml").write_bytes(b"#" * 1_000_000)
    assert read_file(folder / "job.yaml", name="job.yaml")[0] is not None
    with (folder / "job.yaml").open("ab") as file:
        file.truncate(1 << 40)

    assert _refused(folder / "job.yaml").code == "FB104"
