"""The console: whether to paint, how wide, and tables that stay calm."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from flux2batch.commands.console import Choice, Console, Part, colour_wanted, column, counted, styled, table, width_of
from flux2batch.text_width import cells


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


TERMINAL, PIPE = _Terminal(), io.StringIO()

POLICY = [
    # stream   environment                                --color   painted
    (TERMINAL, {},                                        "auto",   True),
    (PIPE,     {},                                        "auto",   False),
    (TERMINAL, {"NO_COLOR": "1"},                         "auto",   False),
    (TERMINAL, {"NO_COLOR": ""},                          "auto",   True),
    (PIPE,     {"FORCE_COLOR": "1"},                      "auto",   True),
    (PIPE,     {"FORCE_COLOR": "0"},                      "auto",   False),
    (PIPE,     {"CLICOLOR_FORCE": "1"},                   "auto",   True),
    (TERMINAL, {"CLICOLOR": "0"},                         "auto",   False),
    (TERMINAL, {"CLICOLOR": "1"},                         "auto",   True),
    (TERMINAL, {"TERM": "dumb"},                          "auto",   False),
    (PIPE,     {"FORCE_COLOR": "1", "NO_COLOR": "1"},     "auto",   False),
    (PIPE,     {"TERM": "dumb", "FORCE_COLOR": "1"},      "auto",   True),
    (PIPE,     {"NO_COLOR": "1"},                         "always", True),
    (TERMINAL, {"FORCE_COLOR": "1"},                      "never",  False),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "environ", "choice", "painted"), POLICY)
def test_colour_follows_flag_then_environment_then_stream(
    stream: io.StringIO, environ: Mapping[str, str], choice: Choice, painted: bool
) -> None:
    assert colour_wanted(stream, environ, choice) is painted


def test_width_is_the_terminals_or_what_columns_says() -> None:
    assert width_of(PIPE, {"COLUMNS": "72"}) == 72
    assert width_of(PIPE, {"COLUMNS": "wide"}) == width_of(PIPE, {}) > 100


def test_text_from_outside_is_made_safe_and_colour_added_after() -> None:
    stream = _Terminal()
    console = Console(stdout=stream, stderr=io.StringIO(), environ={}, choice="always", format="text")

    console.print("a\x1b[2J ", styled("b\x9b", "green"))

    assert stream.getvalue() == "a\\x1b[2J \x1b[32mb\\x9b\x1b[0m\n"


def test_data_and_words_about_it_go_different_ways() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(stdout=out, stderr=err, environ={}, choice="auto", format="text")

    console.print("data")
    console.say("words")

    assert (out.getvalue(), err.getvalue()) == ("data\n", "words\n")


def _drawn(lines: Sequence[tuple[Part, ...]]) -> list[str]:
    return ["".join(part if isinstance(part, str) else part.text for part in line) for line in lines]


COLUMNS = [column("model"), column("shots", right=True), column("prompt", shrinks=True)]


def test_a_table_aligns_words_to_the_left_and_numbers_to_the_right() -> None:
    lines = table(
        COLUMNS,
        [("bfl/flux-2-pro", "1,200", "a fox"), (styled("fal/flux-2", "bold"), "8", "漢字 in rain")],
        total=("total", "1,208", ""),
        width=80,
    )

    assert [line.rstrip() for line in _drawn(lines)] == [
        "model           shots  prompt",
        "──────────────  ─────  ────────────",
        "bfl/flux-2-pro  1,200  a fox",
        "fal/flux-2          8  漢字 in rain",
        "──────────────  ─────  ────────────",
        "total           1,208",
    ]


@pytest.mark.parametrize("width", [36, 40, 60])
def test_a_table_that_is_too_wide_shortens_what_may_shrink(width: int) -> None:
    lines = _drawn(table(COLUMNS, [("bfl/flux-2-pro", "8", "a paper boat on a wide calm sea 漢字" * 3)], width=width))

    assert max(map(cells, lines)) <= width
    assert lines[-1].endswith("…")


def test_a_cell_is_one_line() -> None:
    lines = _drawn(table([column("a")], [("x\ny",)], width=80))

    assert lines[-1] == "x\\ny"


def test_counts_are_read_as_words() -> None:
    assert [counted(1, "shot"), counted(1200, "shot"), counted(2, "axis", "axes")] == [
        "1 shot",
        "1,200 shots",
        "2 axes",
    ]


JOB = """flux2batch: 1
name: größe
model: bfl/flux-2-klein-4b
prompt: "ein Boot – {{ was }} 🚢"
params: {size: 256x256}
sweep: {was: [rot, 日本]}
"""


def said(folder: Path, *arguments: str, **environ: str) -> bytes:
    """What a command writes into a pipe, where the system or the person says how characters are written."""
    (folder / "job.yaml").write_text(JOB, encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONIOENCODING", "PYTHONUTF8")}
    command = [sys.executable, "-m", "flux2batch", *arguments]
    done = subprocess.run(command, cwd=folder, env={**clean, **environ}, capture_output=True, check=True)
    return done.stdout


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_where_a_sign_of_ours_is_not_known_a_plainer_one_stands(tmp_path: Path, encoding: str) -> None:
    text = said(tmp_path, "plan", "job.yaml", PYTHONIOENCODING=encoding).decode(encoding)

    assert "----  ------" in text
    assert "\\u25" not in text
    assert "\\u65e5\\u672c" in text, "what is not ours is spelt out, and not changed"
    assert ("größe" in text) is (encoding == "cp1252")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_json_says_the_same_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    rows = said(tmp_path, "plan", "job.yaml", "--jsonl", PYTHONIOENCODING=encoding).decode(encoding).splitlines()

    assert {json.loads(row)["prompt"] for row in rows} == {"ein Boot – rot 🚢", "ein Boot – 日本 🚢"}


def test_what_is_piped_is_utf_8_whatever_the_system_speaks(tmp_path: Path) -> None:
    text = said(tmp_path, "plan", "job.yaml", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0").decode("utf-8")

    assert "────  ──────" in text
    assert "日本" in text
