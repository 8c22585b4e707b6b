"""Tables: what spreadsheets and people really write is read, and what is wrong is named by file, line and key."""

# ruff: noqa: E501 - in the tables a line is a case

from __future__ import annotations

import codecs
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux2batch.planning.tables.content import MAX_BYTES, MAX_ROWS
from flux2batch.planning.tables.tables import Constant, Table, load_tables, scope_of
from flux2batch.planning.templating import EmptyCell, TemplateFault, compile_expression, compile_template
from flux2batch.reading import codes
from flux2batch.reading.load import load_job
from flux2batch.reading.problems import Problem

Tables = dict[str, Table | Constant]


def load(
    folder: Path, data: str, files: dict[str, bytes | str], *, variables: str = "{}"
) -> tuple[Tables, list[Problem]]:
    """The tables of a job with this `data:`, and every problem with them."""
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    (folder / "job.yaml").write_text(f"flux2batch: 1\nprompt: a boat\nvars: {variables}\ndata:\n  t: {data}\n")
    job, problems = load_job(folder / "job.yaml")
    assert job is not None, problems
    tables, found = load_tables(job)
    return dict(tables), list(found)


def rows_of(folder: Path, name: str, content: bytes | str) -> list[list[Any]]:
    """The rows of one file, without the lines: it must be read without an error."""
    tables, problems = load(folder, f"{{file: {name}}}", {name: content})
    assert [problem for problem in problems if problem.severity == "error"] == []
    table = tables["t"]
    assert isinstance(table, Table)
    return [list(row.data.values()) for row in table.rows]


def complaints(problems: list[Problem], folder: Path) -> list[str]:
    """The problems as `file:line:column CODE message | help`, with the folder left out."""
    said = []
    for problem in problems:
        where = problem.where
        place = f"{Path(where.file).name}:{where.line}:{where.column}" if where else "-"
        said.append(f"{place} {problem.code} {problem.message.replace(str(folder), '.')} | {problem.help}")
    return said


WRITTEN = [
    # how it is written                       file          bytes                                                     rows
    ("plain",                                 "t.csv",      "sku,name\nm1,mug\nt2,tote\n",                            [["m1", "mug"], ["t2", "tote"]]),
    ("without a last line end",               "t.csv",      "sku,name\nm1,mug",                                       [["m1", "mug"]]),
    ("CRLF",                                  "t.csv",      "sku,name\r\nm1,mug\r\n",                                 [["m1", "mug"]]),
    ("CR alone",                              "t.csv",      "sku,name\rm1,mug\r",                                     [["m1", "mug"]]),
    ("a byte order mark",                     "t.csv",      codecs.BOM_UTF8 + b"sku,name\nm1,mug\n",                  [["m1", "mug"]]),
    ("semicolons and decimal commas",         "t.csv",      "sku;price\nm1;2,5\n",                                    [["m1", "2,5"]]),
    ("tabs in .csv",                          "t.csv",      "sku\tname\nm1\ta, b\n",                                  [["m1", "a, b"]]),
    ("tabs in .tsv",                          "t.tsv",      "sku\tname; x\nm1\ta; b\n",                               [["m1", "a; b"]]),
    ("a chosen separator",                    "t.csv",      "sep=;\r\nsku;name\r\nm1;a,b,c,d\r\n",                    [["m1", "a,b,c,d"]]),
    ("a header with a quoted separator",      "t.csv",      '"sku; the number","name"\nm1,mug\n',                     [["m1", "mug"]]),
    ("quotes, and a quote in them",           "t.csv",      'sku,name\nm1,"a ""big"" mug, blue"\n',                   [["m1", 'a "big" mug, blue']]),
    ("a line end in a cell",                  "t.csv",      'sku,name\nm1,"one\ntwo"\nt2,tote\n',                     [["m1", "one\ntwo"], ["t2", "tote"]]),
    ("empty lines",                           "t.csv",      "\nsku,name\n\nm1,mug\n\n\n",                             [["m1", "mug"]]),
    ("lines of commas alone",                 "t.csv",      "sku,name\nm1,mug\n,\n,,\n  , \n",                        [["m1", "mug"]]),
    ("commas behind the last column",         "t.csv",      "sku,name,,\nm1,mug,,\nt2,tote\n",                        [["m1", "mug"], ["t2", "tote"]]),
    ("commas left out, as Excel does",        "t.csv",      "sku,name,note\nm1,mug\n",                                [["m1", "mug", ""]]),
    ("Excel's CSV in Western Europe",         "t.csv",      "sku;name\nm1;Tasse für Öl – 5 €\n".encode("cp1252"),     [["m1", "Tasse für Öl – 5 €"]]),
    ("the same behind a byte order mark",     "t.csv",      codecs.BOM_UTF8 + "sku;n\nm1;é\n".encode("cp1252"),       [["m1", "é"]]),
    ("Excel's Unicode text",                  "t.txt",      "sku\tname\r\nm1\tmüg\r\n".encode("utf-16"),               [["m1", "müg"]]),
    ("UTF-16, the other end first",           "t.csv",      codecs.BOM_UTF16_BE + "sku,n\nm1,ü\n".encode("utf-16-be"), [["m1", "ü"]]),
    ("one column",                            "t.csv",      "name\nmug\ntote\n",                                      [["mug"], ["tote"]]),
    ("templates, ranges and formulas",        "t.csv",      "a,b,c\n{{ x }},1..5,=1+1\n",                             [["{{ x }}", "1..5", "=1+1"]]),
    ("spaces around a cell",                  "t.csv",      "a,b\n x , y\n",                                          [[" x ", " y"]]),
    ("a list of mappings",                    "t.json",     '[{"sku": "m1", "n": 2.5}, {"sku": "t2"}]',               [["m1", 2.5], ["t2", ""]]),
    ("a mapping a line",                      "t.jsonl",    '{"sku": "m1"}\n\n{"sku": "t2", "tags": ["a"]}\n',        [["m1", ""], ["t2", ["a"]]]),
    ("null is empty",                         "t.json",     '[{"sku": "m1", "n": null}]',                             [["m1", ""]]),
    ("JSON with a byte order mark",           "t.json",     codecs.BOM_UTF8 + b'[{"a": 1}]',                          [[1]]),
    ("YAML",                                  "t.yaml",     "- {sku: m1, n: 2}\n- sku: t2\n  n: no\n",                [["m1", 2], ["t2", "no"]]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "rows"), [pytest.param(*rest, id=how) for how, *rest in WRITTEN])
def test_a_table_is_read(tmp_path: Path, name: str, content: bytes | str, rows: list[list[Any]]) -> None:
    assert rows_of(tmp_path, name, content) == rows


def test_a_row_knows_the_line_where_it_begins(tmp_path: Path) -> None:
    tables, _ = load(tmp_path, "{file: t.csv, key: sku}", {"t.csv": 'sep=,\n\nsku,name\n\nm1,"one\ntwo\n"\nt2,tote\n'})

    table = tables["t"]
    assert isinstance(table, Table)
    assert [(row.id, row.line, row.about) for row in table.rows] == [
        ("m1", 5, "t.csv:5 (sku m1)"),
        ("t2", 8, "t.csv:8 (sku t2)"),
    ]


def test_an_old_encoding_is_said_and_shown(tmp_path: Path) -> None:
    _, problems = load(tmp_path, "{file: t.csv}", {"t.csv": "sku;name\nm1;mug\nm2;Tasse für Öl\n".encode("cp1252")})

    assert complaints(problems, tmp_path) == [
        "t.csv:3:11 FB318 the file is not UTF-8 and was read as Windows-1252: is 'ü' the right letter? | "
        "in Excel: save as 'CSV UTF-8 (comma delimited)'"
    ]
    assert problems[0].severity == "warning"
    assert problems[0].where is not None
    assert problems[0].where.line_text == "m2;Tasse für Öl"


MANY = "sku\n" + "x\n" * (MAX_ROWS + 1)

BAD = [
    # row    what                     data                                   file        content                              said
    ("B76", "missing",                "{file: nope.csv}",                    "t.csv",    "a\n1",                              ["job.yaml:5:13 FB313 no such file 'nope.csv' | None"]),
    ("B76", "nearly missing",         "{file: data/prodcts.csv}",            "data/products.csv", "a\n1",                     ["job.yaml:5:13 FB313 no such file 'data/prodcts.csv' | did you mean 'data/products.csv'?"]),
    ("B76", "empty",                  "{file: t.csv}",                       "t.csv",    "",                                  ["t.csv:1:1 FB313 the table is empty | the first line names the columns, such as sku,name,image"]),
    ("B76", "no header",              "{file: t.csv}",                       "t.csv",    "m1,4.50\nm2,5\n",                   ["t.csv:1:1 FB313 '4.50' is no name of a column | the first line names the columns"]),
    ("B76", "a column without name",  "{file: t.csv}",                       "t.csv",    "a,,c\n1,2,3\n",                     ["t.csv:1:1 FB313 column 2 has no name | the first line names the columns"]),
    ("B76", "duplicate header",       "{file: t.csv}",                       "t.csv",    "a,b,a\n1,2,3\n",                    ["t.csv:1:1 FB313 columns 1 and 3 are both called 'a' | rename one"]),
    ("B76", "ragged",                 "{file: t.csv}",                       "t.csv",    "a,b,c,d\n" + "1,2,3,4\n" * 5 + "1,2,3,4,5\n", ["t.csv:7:1 FB313 5 cells, header has 4 | a cell with the separator in it stands in quotes: \"a mug, a spoon\""]),
    ("B76", "cut short",              "{file: t.csv}",                       "t.csv",    "a,b,c\n1,2,3\nend\n",               ["t.csv:3:1 FB313 1 cell, header has 3 | None"]),
    ("B76", "all rows at once",       "{file: t.csv}",                       "t.csv",    "a,b\n1,2,3\n1,2\n1,2,3,4\n",        ["t.csv:2:1 FB313 3 cells, header has 2 | a cell with the separator in it stands in quotes: \"a mug, a spoon\"",
                                                                                                                              "t.csv:4:1 FB313 4 cells, header has 2 | a cell with the separator in it stands in quotes: \"a mug, a spoon\""]),
    ("B76", "a quote never closed",   "{file: t.csv}",                       "t.csv",    'a,b\n1,2\n1,"x\n1,2\n',             ["t.csv:3:1 FB313 a quote is opened here and never closed | inside quotes, a quote is written twice: \"\""]),
    ("B76", "text behind a quote",    "{file: t.csv}",                       "t.csv",    'a,b\n1,"x" y\n',                    ["t.csv:2:1 FB313 text follows a closing quote | inside quotes, a quote is written twice: \"\""]),
    ("B76", "no encoding at all",     "{file: t.csv}",                       "t.csv",    b"a,b\n1,\x81\x8d\n",                ["t.csv:2:1 FB313 byte 0x81 is neither UTF-8 nor Windows-1252 | in Excel: save as 'CSV UTF-8 (comma delimited)'"]),
    ("B76", "a workbook as CSV",      "{file: t.csv}",                       "t.csv",    b"PK\x03\x04....",                   ["t.csv:1:1 FB313 this is not a CSV file: it is an XLSX workbook or another zip file | in Excel: save as 'CSV UTF-8 (comma delimited)'"]),
    ("B76", "a picture as CSV",       "{file: t.csv}",                       "t.csv",    b"\x89PNG\r\n\x1a\n\0\0\0",          ["t.csv:1:1 FB313 this is not a CSV file: it holds bytes that no text has | in Excel: save as 'CSV UTF-8 (comma delimited)'"]),
    ("B76", "too many rows",          "{file: t.csv}",                       "t.csv",    MANY,                                ["t.csv:100002:1 FB313 more than 100,000 rows | split the table"]),
    ("B76", "no such column",         "{file: t.csv, key: SKU}",             "t.csv",    "sku,name\nm1,mug\n",                ["job.yaml:5:25 FB313 't.csv' has no column 'SKU' | did you mean 'sku'?"]),
    ("B76", "no such columns",        "{file: t.csv, key: [sku, lang]}",     "t.csv",    "sku,locale\nm1,de\n",               ["job.yaml:5:31 FB313 't.csv' has no column 'lang' | the columns are sku, locale"]),
    ("B76", "a key that is empty",    "{file: t.csv, key: sku}",             "t.csv",    "sku,name\nm1,mug\n,tote\n",         ["t.csv:3:1 FB313 the row has no sku | every row needs its key: it is the row's name in paths, rules and messages"]),
    ("B76", "a key twice",            "{file: t.csv, key: [sku, locale]}",   "t.csv",    "sku,locale\nm1,de\nm1,en\nm1,de\n", ["t.csv:4:1 FB313 sku m1, locale de stands twice | None"]),
    ("B76", "not a table's suffix",   "{file: t.numbers}",                   "t.numbers", "x",                                ["t.numbers:1:1 FB313 '.numbers' is a spreadsheet that is not read | save it as CSV; .csv, .tsv, .xlsx, .json, .jsonl and .yaml are read"]),
    ("B76", "outside the folder",     "{file: ../t.csv}",                    "t.csv",    "a\n1",                              ["job.yaml:5:13 FB702 '../t.csv' is outside the job's folder . | move it into that folder, or allow its own: --allow-path"]),
    ("B77", "broken at line 3",       "{file: t.jsonl}",                     "t.jsonl",  '{"a": 1}\n{"a": 2}\n{"a": 3, "b": x}\n', ["t.jsonl:3:15 FB314 a value is missing here | None"]),
    ("B77", "two lines broken",       "{file: t.jsonl}",                     "t.jsonl",  '{"a": 1\n{"a": 2}\n{a: 3}\n',       ["t.jsonl:1:8 FB314 a comma is missing here | None", "t.jsonl:3:2 FB314 a key in double quotes is missing here | None"]),
    ("B77", "not a mapping",          "{file: t.jsonl}",                     "t.jsonl",  '{"a": 1}\n[1]\n"x"\n',              ["t.jsonl:2:1 FB314 expected a mapping, got a list | a row is written {…: …}", "t.jsonl:3:1 FB314 expected a mapping, got a text | a row is written {…: …}"]),
    ("B77", "single quotes",          "{file: t.json}",                      "t.json",   "[\n {'a': 1}\n]",                   ["t.json:2:3 FB314 JSON puts texts in double quotes | None"]),
    ("B77", "no mappings",            "{file: t.json}",                      "t.json",   '[\n {"a": 1},\n 5\n]',              ["t.json:3:1 FB314 expected a mapping, got a number | a row is written {…: …}"]),
    ("B77", "a text",                 "{file: t.json}",                      "t.json",   '"a"',                               ["t.json:1:1 FB314 expected a list of mappings, or one mapping | a table is written [{…}, {…}]"]),
    ("B77", "a key twice",            "{file: t.json}",                      "t.json",   '[{"a": 1},\n {"a": 1, "a": 2}]',    ["t.json:2:2 FB314 key 'a' appears twice in this mapping | None"]),
    ("B77", "no number",              "{file: t.json}",                      "t.json",   '[{"a": NaN}]',                      ["t.json:1:2 FB314 NaN is not a number that JSON knows | None"]),
    ("B77", "a huge number",          "{file: t.json}",                      "t.json",   '[{"a": 1e999}]',                    ["t.json:1:2 FB314 the number 1e999 is too large | None"]),
    ("B77", "a very long number",     "{file: t.json}",                      "t.json",   '[{"a": ' + "9" * 5000 + "}]",       ["t.json:1:2 FB314 a number is too long | None"]),
    ("B77", "nested too deeply",      "{file: t.json}",                      "t.json",   '[{"a": ' + "[" * 50_000,            ["t.json:1:2 FB314 nested more than 32 deep | None"]),
    ("B77", "lines in a .json",       "{file: t.json}",                      "t.json",   '{"a": 1}\n{"a": 2}\n',              ["t.json:2:1 FB314 something follows the end of the mapping | a file with one mapping a line is called .jsonl"]),
    ("B77", "never closed",           "{file: t.json}",                      "t.json",   '[\n{"a": 1}\n',                     ["t.json:1:1 FB314 '[' opened here is never closed | None"]),
    ("B77", "a last comma",           "{file: t.json}",                      "t.json",   '[\n{"a": 1},\n]',                   ["t.json:3:1 FB314 a comma stands before the end of the list | None"]),
    ("B77", "missing",                "{file: nope.json}",                   "t.json",   "[]",                                ["job.yaml:5:13 FB314 no such file 'nope.json' | None"]),
    ("B77", "a key for a mapping",    "{file: t.json, key: a}",              "t.json",   '{"a": 1}',                          ["job.yaml:5:21 FB314 't.json' is one mapping and has no rows | leave out 'key', or write the file as a list"]),
    ("B77", "YAML that is no table",  "{file: t.yaml}",                      "t.yaml",   "just text\n",                       ["t.yaml:1:1 FB314 expected a list of mappings, or one mapping | a row is written - {…: …}"]),
    ("B77", "YAML with a text in it", "{file: t.yaml}",                      "t.yaml",   "- {a: 1}\n- x\n",                   ["t.yaml:2:1 FB314 expected a mapping, got a text | a row is written {…: …}"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "name", "content", "said"), [pytest.param(*rest, id=f"{row} {what}") for row, what, *rest in BAD]
)
def test_a_bad_table_is_named_by_file_and_line(
    tmp_path: Path, data: str, name: str, content: bytes | str, said: list[str]
) -> None:
    tables, problems = load(tmp_path, data, {name: content})

    assert [line.split(" --allow-path")[0] for line in complaints(problems, tmp_path)] == [
        line.split(" --allow-path")[0] for line in said
    ]
    assert tables == {}


def test_b76_a_gigabyte_is_refused_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "t.csv").open("wb") as sparse:
        sparse.truncate(2**30)

    _, problems = load(tmp_path, "{file: t.csv}", {})

    assert [problem.code for problem in problems] == ["FB313"]
    assert "1073.7 MB" in problems[0].message
    assert MAX_BYTES < 2**26


def test_many_faults_of_one_file_are_capped(tmp_path: Path) -> None:
    _, problems = load(tmp_path, "{file: t.csv}", {"t.csv": "a,b\n" + "1,2,3\n" * 1_000})

    assert len(problems) == 51
    assert problems[-1].message == "… and 950 more like these in this file"


ROWS = 'sku,status,stock,price\nm1,ready,12,"2,5"\nt2,draft,3,4\nc3,ready,,7\n'

KEPT = [
    # filter                                        skus that stay
    ("status == 'ready'",                           ["m1", "c3"]),
    ("stock > 5",                                   ["m1"]),
    ("stock == 3",                                  ["t2"]),
    ("price < 3",                                   ["m1"]),
    ("stock",                                       ["m1", "t2"]),
    ("stock is not none",                           ["m1", "t2"]),
    ("sku in wanted",                               ["m1", "t2"]),
    ("sku in vars.wanted and status == 'ready'",    ["m1"]),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "skus"), KEPT)
def test_rows_keeps_what_matches(tmp_path: Path, rows: str, skus: list[str]) -> None:
    tables, problems = load(
        tmp_path, f'{{file: t.csv, key: sku, rows: "{rows}"}}', {"t.csv": ROWS}, variables="{wanted: [m1, t2]}"
    )

    assert problems == []
    table = tables["t"]
    assert isinstance(table, Table)
    assert [row.id for row in table.rows] == skus


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("statis == 'ready'", "job.yaml:5:37 FB301 unknown variable 'statis' | did you mean 'status'?"),
        ("status == 'gone'", "job.yaml:5:36 FB312 none of the 3 rows of 't.csv' matches | status: ready, draft"),
        ("status == 'Redy'", "job.yaml:5:36 FB312 none of the 3 rows of 't.csv' matches | did you mean 'ready'?"),
        ("false", "job.yaml:5:36 FB312 none of the 3 rows of 't.csv' matches | None"),
        ("status > 5", "job.yaml:5:37 FB305 '>' cannot compare the text 'ready' with the number 5 | None"),
        (
            "status == made",
            "job.yaml:5:47 FB301 unknown variable 'made' | it is a template, and constants are worked out after the rows are chosen",
        ),
        ("status ==", "job.yaml:5:44 FB302 a value is missing here | None"),
    ],
)
def test_a_faulty_filter_points_into_the_job(tmp_path: Path, rows: str, said: str) -> None:
    data = f'{{file: t.csv, key: sku, rows: "{rows}"}}'
    _, problems = load(tmp_path, data, {"t.csv": ROWS}, variables='{made: "{{ x }}", x: ready}')

    assert complaints(problems, tmp_path) == [said]


@pytest.mark.parametrize(
    ("rows", "help"),
    [
        ("n == 99", "n: 0, 1, 2, 3, 4, 5, 6, 7, …"),
        ("state == 'absent' and n == 0", "state: 'done ', draft; n: 0, 1, 2, 3, 4, 5, 6, 7, …"),
        ("state == 'draft' and n == 0", "state: 'done ', draft; n: 0, 1, 2, 3, 4, 5, 6, 7, …"),
        ("state == 'done'", "did you mean 'done '?"),
        ("text == 'b'", "text: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…"),
        ("tags == 'b'", None),
    ],
)
def test_a_filter_that_keeps_no_row_is_told_what_the_cells_hold(tmp_path: Path, rows: str, help: str | None) -> None:
    cells = [{"n": n, "state": "draft" if n else "done ", "text": "a" * 50, "tags": ["b"]} for n in range(10)]
    _, problems = load(tmp_path, f'{{file: t.json, rows: "{rows}"}}', {"t.json": json.dumps(cells)})

    assert [(problem.code, problem.help) for problem in problems] == [("FB312", help)]


SHORT = [
    # what                                  content                                                   said
    ("cells slipped to the left",           "sku,name,status\nm1,mug,ready\nt2,ready\nc3,cap,ready\n", ["t.csv:3:1 FB313 2 cells, header has 3, so status is empty here"]),
    ("several rows",                        "a,b,c,d\n1,2,3,4\n1,2,3\n1,2\n\n1,2,3\n",                ["t.csv:3:1 FB313 3 cells, header has 4, so d is empty here; the same in 2 lines: 4, 6"]),
    ("two of two",                          "a,b\n1,2\n1\n",                                           ["t.csv:3:1 FB313 1 cell, header has 2, so b is empty here"]),
    ("two cells too few",                   "a,b,c,d\n1,2,3,4\n1,2\n",                                 ["t.csv:3:1 FB313 2 cells, header has 4, so c and d are empty here"]),
    ("what may be empty, left out",         "sku,status,note\nm1,ready,\nt2,ready\nc3,ready,new\n",    []),
    ("what is empty in all rows, left out", "sku,name,note\nm1,mug\nt2,tote\n",                        []),
    ("blank lines, and commas alone",       "a,b,c\n1,2,3\n\n,\n  \n",                                 []),
]  # fmt: skip


@pytest.mark.parametrize(("content", "said"), [pytest.param(*rest, id=what) for what, *rest in SHORT])
def test_a_row_with_a_cell_too_few_is_told_unless_a_spreadsheet_would_leave_it_out(
    tmp_path: Path, content: str, said: list[str]
) -> None:
    tables, problems = load(tmp_path, "{file: t.csv}", {"t.csv": content})

    assert [line.partition(" | ")[0] for line in complaints(problems, tmp_path)] == said
    assert {problem.severity for problem in problems} <= {"warning"}
    assert list(tables) == ["t"]


BLANKS = [
    # filter                            said
    ("status == 'ready'",               "t.csv:3:1 FB319 this row is left out because of a blank: status is 'ready '; the same in 2 lines: 4, 6"),
    ("status in ['ready', 'done']",     "t.csv:3:1 FB319 this row is left out because of a blank: status is 'ready '; the same in 2 lines: 4, 6"),
    ("status != 'draft'",               "t.csv:5:1 FB319 this row is kept because of a blank: status is '\u00a0draft'"),
    ("status | trim == 'ready'",        None),
    ("sku == 'm1'",                     None),
    ("'ead' in status",                 None),
    ("stock < 3",                       None),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "said"), BLANKS)
def test_a_blank_that_decides_about_a_row_is_told(tmp_path: Path, rows: str, said: str | None) -> None:
    content = "sku,status,stock\nm1,ready,1\nt2,ready ,2\nc3, ready, 3\nd4,\u00a0draft,4\ne5,ready\t,5\n"
    tables, problems = load(tmp_path, f'{{file: t.csv, rows: "{rows}"}}', {"t.csv": content})

    expected = [] if said is None else [f"{said} | remove the blank, or compare with status | trim"]
    assert complaints(problems, tmp_path) == expected
    assert {problem.severity for problem in problems} <= {"warning"}
    assert list(tables) == ["t"]


def test_a_table_says_how_many_of_its_rows_are_kept(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {"t.csv": ROWS}
    ready, _ = load(tmp_path, "{file: t.csv, rows: \"status == 'ready'\"}", files)
    every, _ = load(tmp_path, "{file: t.csv, rows: sku}", files)
    unfiltered, _ = load(tmp_path, "{file: t.csv}", files)

    assert [table["t"].share for table in (ready, every, unfiltered) if isinstance(table["t"], Table)] == [
        "2 of 3 rows of t.csv",
        "3 of 3 rows of t.csv",
        None,
    ]


def test_a_row_that_is_left_out_needs_no_key(tmp_path: Path) -> None:
    content = "sku,status\nm1,ready\n,draft\nm1,draft\n"
    tables, problems = load(tmp_path, "{file: t.csv, key: sku, rows: \"status == 'ready'\"}", {"t.csv": content})

    assert (list(tables), problems) == (["t"], [])


@pytest.mark.parametrize("name", ["t.json", "t.yaml"])
def test_a_mapping_is_a_constant(tmp_path: Path, name: str) -> None:
    tables, problems = load(
        tmp_path, f"{{file: {name}}}", {name: '{"brand": {"blue": "#0047AB"}, "seasons": ["summer"]}'}
    )

    assert problems == []
    constant = tables["t"]
    assert isinstance(constant, Constant)
    prompt = compile_template("{{ t.brand.blue }} {{ t.seasons[0] }}", folder=None, kind="text")
    assert prompt.render(scope_of(tables)) == "#0047AB summer"


def test_a_missing_translation_is_one_message_for_its_row(tmp_path: Path) -> None:
    content = "sku,locale,headline\nm1,de,Guten Morgen\nm1,fr,\n"
    tables, _ = load(tmp_path, "{file: data/copy.csv, key: [sku, locale]}", {"data/copy.csv": content})
    headline = compile_template("{{ t['m1', locale].headline }}", folder=None, kind="text")
    said = []
    for locale in ("de", "fr", "fr", "en"):
        try:
            said.append(headline.render({**scope_of(tables), "locale": locale}))
        except TemplateFault as fault:
            said.append(fault.message)

    assert said == [
        "Guten Morgen",
        "data/copy.csv:3 (sku m1, locale fr): headline is empty",
        "data/copy.csv:3 (sku m1, locale fr): headline is empty",
        "no row for sku m1, locale en in data/copy.csv",
    ]


def test_a_key_that_is_nearly_right_is_suggested(tmp_path: Path) -> None:
    tables, _ = load(tmp_path, "{file: t.csv, key: sku}", {"t.csv": "sku,name\nmug-01,mug\n"})

    with pytest.raises(TemplateFault) as caught:
        compile_expression("t['mug-1'].name").evaluate(scope_of(tables))

    assert caught.value.help == "did you mean 'mug-01'?"


PICKS = """\
- id: 3f2a
  coordinates: {guidance: 4, subject: fox, model: bfl/flux-2-flex}
  path: fox/g4-101.png
  rating: 5
  note: "the ears"
- id: 9c41
  coordinates: {guidance: 5.5, subject: {id: clock, value: null}}
  path: clock/g5.5-102.png
  rating: 4
"""


@pytest.mark.parametrize("content", [PICKS, "picks:\n" + "".join(f"  {line}\n" for line in PICKS.splitlines())])
def test_picks_are_rows_with_their_coordinates_as_columns(tmp_path: Path, content: str) -> None:
    tables, problems = load(tmp_path, "{picks: picks.yaml}", {"picks.yaml": content})

    assert problems == []
    table = tables["t"]
    assert isinstance(table, Table)
    assert [row.id for row in table.rows] == ["3f2a", "9c41"]
    first, second = (row.data for row in table.rows)
    assert (first["guidance"], first["subject"], first["model"]) == (4, "fox", "bfl/flux-2-flex")
    assert (first["path"], first["rating"], first["note"], first["shot"]) == ("fox/g4-101.png", 5, "the ears", "3f2a")
    assert (second["guidance"], second["subject"]) == (5.5, "clock")
    assert isinstance(second["note"], EmptyCell)


def workbook(rows: list[list[Any]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    raw = io.BytesIO()
    book.save(raw)
    return raw.getvalue()


def test_a_workbook_is_read_as_excel_would_save_it_as_csv(tmp_path: Path) -> None:
    from datetime import date, datetime

    cells = [
        ["sku", "price", "count", "day", "when", "hero", "note", None],
        ["m1", 2.5, 3.0, date(2026, 7, 1), datetime(2026, 7, 1, 9, 30), True, None, None],
        [None] * 8,
        ["t2", 10, 0.1, None, None, False, "ü", None],
    ]

    assert rows_of(tmp_path, "t.xlsx", workbook(cells)) == [
        ["m1", "2.5", "3", "2026-07-01", "2026-07-01 09:30:00", "true", ""],
        ["t2", "10", "0.1", "", "", "false", "ü"],
    ]


BAD_BOOKS = [
    # what                     rows                                        said
    ("a formula not computed", [["sku", "price"], ["m1", "=1+1"]],         "t.xlsx:2:2 FB313 cell B2 (price) is a formula whose result is not saved | open the file in Excel and save it, or put the value in place of the formula"),
    ("an error",               [["sku", "price"], ["m1", "#REF!"]],        "t.xlsx:2:2 FB313 cell B2 (price) is an error: #REF! | None"),
    ("a column without name",  [["sku", None, "x"], ["m1", 1, 2]],         "t.xlsx:1:2 FB313 column B has no name | None"),
    ("a column twice",         [["sku", "sku"], ["m1", 1]],                "t.xlsx:1:2 FB313 column B is called 'sku', as another column is | None"),
    ("an empty sheet",         [],                                         "t.xlsx:1:1 FB313 the first sheet is empty | its first row names the columns"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "said"), [pytest.param(*rest, id=what) for what, *rest in BAD_BOOKS])
def test_a_bad_workbook_is_named_by_its_cell(tmp_path: Path, rows: list[list[Any]], said: str) -> None:
    _, problems = load(tmp_path, "{file: t.xlsx}", {"t.xlsx": workbook(rows)})

    assert complaints(problems, tmp_path) == [said]


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"\0" * (300 * 2**20))
    for content, said in (
        (b"no zip", "this is not an XLSX workbook"),
        (raw.getvalue(), "the workbook unpacks to 314 MB"),
    ):
        _, problems = load(tmp_path, "{file: t.xlsx}", {"t.xlsx": content})
        assert [problem.message for problem in problems] == [said]


def test_without_the_extra_a_workbook_says_how_to_save_it_as_csv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)

    _, problems = load(tmp_path, "{file: t.xlsx}", {"t.xlsx": b"PK"})

    assert complaints(problems, tmp_path) == [
        "t.xlsx:1:1 FB313 reading XLSX needs an extra that is not installed | install flux2batch[xlsx], or "
        "in Excel: save it as 'CSV UTF-8 (comma delimited)' and name that file"
    ]


def test_the_codes_of_tables_are_errors_of_the_input() -> None:
    assert {codes.ALL[code].exit_code for code in ("FB313", "FB314", "FB316", "FB318")} == {3}


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_what_pythons_writer_writes_is_read_back(rows: list[list[str]], separator: str) -> None:
    import csv

    from flux2batch.planning.tables.content import DataFile
    from flux2batch.planning.tables.from_csv import read_csv

    raw = io.StringIO(newline="")
    csv.writer(raw, delimiter=separator).writerows([["one", "two"], *rows])
    file = DataFile(raw.getvalue().encode(), path="t.csv", name="t.csv", code="FB313")
    read = read_csv(file, tabs=False)

    assert file.problems == []
    assert read is not None
    expected = [[cell if cell.strip() else None for cell in row] for row in rows if any(cell.strip() for cell in row)]
    assert [list(row.cells.values()) for row in read.rows] == expected


@given(st.binary(max_size=200), st.sampled_from(["csv", "json", "jsonl", "yaml"]))
def test_any_bytes_are_a_table_or_problems(content: bytes, kind: str) -> None:
    from flux2batch.planning.tables.content import DataFile
    from flux2batch.planning.tables.from_csv import read_csv
    from flux2batch.planning.tables.from_json import read_json, read_json_lines
    from flux2batch.planning.tables.from_yaml import read_yaml

    file = DataFile(content, path=f"t.{kind}", name=f"t.{kind}", code="FB313")
    readers: dict[str, Any] = {
        "csv": lambda: read_csv(file, tabs=False),
        "json": lambda: read_json(file),
        "jsonl": lambda: read_json_lines(file),
        "yaml": lambda: read_yaml(file),
    }

    assert readers[kind]() is not None or file.problems


def test_json_from_python_is_read_back(tmp_path: Path) -> None:
    value = [{"a": 1, "b": "ü\n", "c": [1, {"d": None}], "e": True, "f": 2.5}]

    assert rows_of(tmp_path, "t.json", json.dumps(value, indent=2)) == [list(value[0].values())]
