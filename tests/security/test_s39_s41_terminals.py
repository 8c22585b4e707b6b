"""S39 to S41: nothing that is said to us steers a terminal, is taken for markup, or forges a line of ours."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from fake_hosts import FakeHosts
from recorded_runs import picture
from shop import BOAT, Said, Service, Shop, imported_by_us

STEERING = {
    "a title of the window": "\x1b]0;owned\x07",
    "a link": "\x1b]8;;https://evil.example\x07x\x1b]8;;\x07",
    "the clipboard": "\x1b]52;c;ZWNobyBvd25lZA==\x07",
    "an empty screen": "\x1b[2J\x1b[H",
    "a device's answer": "\x1bP$qm\x1b\\",
    "C1": "\x9b2J\x9d0;owned\x9c",
    "backspaces": "safe\x08\x08\x08\x08evil",
    "a carriage return": "first\rsecond",
    "DEL and a bell": "\x7f\x07",
    "text turned round": "\u202egnp.exe\u202c",
    "isolates": "\u2066hidden\u2069",
    "a line separator": "a\u2028b",
    "tags": "a\U000e0041\U000e0042",
    "half a character": "\\ud800",  # as JSON writes it: it could not be printed at all
}
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]")

JOB = """\
flux2batch: 1
name: boat
model: bfl/flux-2-klein-4b
prompt: "{{ t.text }}"
params: {size: 256x256}
sweep: {t: data.t, seed: 1..2}
data: {t: {file: t.json, key: id}}
output: {path: "{{ t.label }}-{{ seed }}"}
run: {timeout: 1s}
"""


def hostile_job(shop: Shop, text: str) -> None:
    shop.write(JOB)
    if "\\ud800" not in text:
        rows = json.dumps([{"id": "x", "label": text, "text": f"a boat {text}"}])
    else:
        rows = f'[{{"id": "x", "label": "{text}", "text": "a boat {text}"}}]'
    (shop.folder / "t.json").write_text(rows, encoding="utf-8")


def say_it(hosts: FakeHosts, text: str, status: int = 422) -> None:
    """The service says it too: in a refusal, in headers and in a status."""
    told = json.dumps({"detail": f"no: {text}"}).encode()
    headers = {"X-Why": re.sub(r"[^\x20-\x7e]", "?", text), "Retry-After": re.sub(r"[^\x20-\x7e]", "?", text)}
    hosts["api.bfl.ai"].answers |= {
        "/v1/flux-2-klein-4b": (status, headers, told),
        "/v1/credits": (500, headers, told),
        "/v1/get_result": (500, headers, told),
    }


ASKED = (
    ("validate", "job.yaml"), ("validate", "job.yaml", "--format", "json"),
    ("validate", "job.yaml", "--format", "github"),
    ("plan", "job.yaml"), ("plan", "job.yaml", "--json"), ("plan", "job.yaml", "--jsonl"),
    ("plan", "job.yaml", "--markdown"), ("plan", "job.yaml", "--only", "t.id == '{text}'"),
    ("plan", "job.yaml", "--set", "name={text}"), ("plan", "{text}.yaml"), ("{text}",), ("plan", "--{text}"),
    ("run", "job.yaml", "--yes"), ("run", "job.yaml", "--yes", "--json"),
    ("status", "runs/boat"), ("status", "runs/boat", "--json"),
    ("ledger", "runs/boat"), ("ledger", "runs/boat", "--csv"), ("ledger", "runs/boat", "--json"),
    ("ledger", "runs/boat", "--by", "t", "--json"), ("resolve", "runs/boat"), ("resolve", "runs/boat", "--json"),
    ("retry", "runs/boat", "--yes"), ("sheet", "runs/boat"), ("export", "runs/boat", "--to", "out"),
)  # fmt: skip


@pytest.mark.parametrize("text", STEERING.values(), ids=STEERING)
def test_s39_nothing_that_is_said_steers_a_terminal(shop: Shop, hosts: FakeHosts, text: str) -> None:
    hostile_job(shop, text)
    say_it(hosts, text)

    said = {words: shop(*(word.replace("{text}", text) for word in words)) for words in ASKED}

    raw = {" ".join(words): _RAW.findall(one.both) for words, one in said.items()}
    assert {words: found for words, found in raw.items() if found} == {}
    assert not [words for words, one in said.items() if one.code == 8]
    for name in ("plan.jsonl", "ledger.jsonl"):
        written = shop.folder / "runs" / "boat" / name
        assert not written.exists() or not _RAW.search(written.read_text(encoding="utf-8"))
    refused_already = "ud800" in text  # by the plan: no such text can be sent
    assert refused_already or len(hosts["api.bfl.ai"].received) >= 2, "it was said to us at all"


def test_s39_json_still_says_what_was_said(shop: Shop) -> None:
    text = STEERING["C1"] + STEERING["text turned round"] + STEERING["tags"]
    hostile_job(shop, text)

    rows = shop("plan", "job.yaml", "--jsonl").lines

    assert [row["prompt"] for row in rows] == [f"a boat {text}"] * 2


NAMES = (b"a\xff.png", "b\x9b2J.png".encode(), "c\u202egnp.png".encode(), b"d [nope].png")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep such names from being made")
def test_s39_the_name_of_a_file_steers_nothing_and_is_no_crash(shop: Shop) -> None:
    (shop.folder / "refs").mkdir()
    for number, name in enumerate(NAMES):
        path = os.path.join(os.fsencode(shop.folder), b"refs", name)  # noqa: PTH118  # a Path has no bytes
        with open(path, "wb") as file:  # noqa: PTH123  # likewise
            file.write(picture(number, (128, 128)))
    shop.write(
        BOAT + "references: {r: '{{ f }}'}\nsweep: {f: {glob: refs/*.png}}\noutput: {path: '{{ index }}'}\n",
    )

    said = [
        shop(*words)
        for words in (
            ("plan", "job.yaml"), ("plan", "job.yaml", "--json"), ("plan", "job.yaml", "--markdown"),
            ("run", "job.yaml", "--emulate"), ("sheet", "runs/boat.emulated"),
            ("ledger", "runs/boat.emulated", "--csv"), ("status", "runs/boat.emulated"),
        )
    ]  # fmt: skip

    assert [one.code for one in said] == [0] * 7, said[3].err
    assert not [found for one in said for found in _RAW.findall(one.both)]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep such names from being made")
def test_s39_a_folder_that_cannot_be_written_down_is_said_before_anything_is_sent(shop: Shop, service: Service) -> None:
    folder = Path(os.fsdecode(os.path.join(os.fsencode(shop.folder), b"d\xff")))  # noqa: PTH118  # a Path has no bytes
    folder.mkdir()
    (folder / "job.yaml").write_text(BOAT, encoding="utf-8")

    said = shop("run", folder / "job.yaml", "--yes")

    assert (said.code, "is not UTF-8" in said.err) == (7, True)
    assert service.books.counts()["tasks"] == 0
    assert [file.name for file in folder.iterdir()] == ["job.yaml"]


# S40: brackets are brackets.

BRACKETS = [
    "[/nope]", "[bold]x[/bold]", "[link=https://evil.example]x[/link]", "[red]", "[/]", "[[", "]]",
    "[@click=app.quit]x[/]", "[blink]x", "[on red]x[/on red]", "\\[x]", "[x", "x]", "[]", "[ ]", "[#ff0000]x[/]",
    ":smile:", "[/b", "[not]a[tag]", "[bold red]x[/bold]",
]  # fmt: skip


@pytest.mark.parametrize("text", BRACKETS)
def test_s40_brackets_are_shown_as_they_are(shop: Shop, hosts: FakeHosts, text: str) -> None:
    hostile_job(shop, text)
    say_it(hosts, text)

    planned = shop("plan", "job.yaml")
    ran = shop("run", "job.yaml", "--yes")
    stands = shop("status", "runs/boat")

    assert (planned.code, ran.code) == (0, 1), planned.err + ran.err
    assert f"a boat {text}" in planned.out
    assert f"no: {text}" in stands.both


def test_s40_no_library_of_markup_is_there_to_be_fooled() -> None:
    """Rich's markup would raise on `[/nope]`, and pass escapes through; click's own styling takes texts as they are."""
    imported = imported_by_us()

    assert not imported & {"rich", "textual", "colorama", "blessed", "prompt_toolkit"}


# S41: one record, one line.

FORGED = "fine\n2026-11-21 12:00:00 ERROR the disk is full\r\nerror[FB999]: send your key to https://evil.example"


@pytest.mark.parametrize("status", [422, 500], ids=["rejected", "held as unknown"])
def test_s41_a_line_break_forges_no_line(shop: Shop, hosts: FakeHosts, status: int) -> None:
    hostile_job(shop, FORGED)
    say_it(hosts, FORGED, status)

    said = [shop(*(word.replace("{text}", FORGED) for word in words)) for words in ASKED]

    assert [line for one in said for line in _lines(one) if line.startswith(("2026-11-21 12:00", "error[FB999]"))] == []


def test_s41_a_program_reads_one_record_a_line(shop: Shop, hosts: FakeHosts) -> None:
    hostile_job(shop, FORGED)
    say_it(hosts, FORGED)

    ran = shop("run", "job.yaml", "--yes", "--json")
    books = shop("ledger", "runs/boat", "--json")

    assert ran.lines[-1]["event"] == "finished"
    assert [line["prompt"] for line in books.lines if "prompt" in line] in ([], [f"a boat {FORGED}"] * 2)
    assert len(books.lines) == len((shop.folder / "runs" / "boat" / "ledger.jsonl").read_text("utf-8").splitlines())


def _lines(said: Said) -> list[str]:
    return said.both.replace("\r", "\n").split("\n")
