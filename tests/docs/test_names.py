"""Every command, flag, code, key, setting and model that the pages name is one that there is."""

from __future__ import annotations

import functools
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from page_blocks import PAGES, ROOT, blocks

from flux2batch import cli
from flux2batch.planning.models.catalogue import entries
from flux2batch.reading import codes

_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_CALL = re.compile(r"(?<!from )\bflux2batch ([a-z]+)\b(.*)")
_FLAG = re.compile(r"(?<![\w-])(--?[a-z][\w-]*)")
_MODEL = re.compile(r"(?<![\w/.-])((?:bfl|fal|local)/[a-z0-9][\w.-]*\w)(?![\w/]|\.\w)")

NO_FLAGS = {"-r2"}  # the end of a path
# Models that are not there yet or never were, where that is what the page is about.
NO_MODELS = {"bfl/flux-2-next", "fal/flux-2-klein-9b-preview"}
# Keys that have no schema: of a file of picks, and of fal's requests.
OTHER_KEYS = {"picked", "image_size"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def spans(path: Path) -> list[str]:
    """What stands between backticks, but for the columns about other people's tools."""
    fenced = re.compile(r"^( *)(`{3,}).*?^\1\2$", re.MULTILINE | re.DOTALL)
    return _SPAN.findall("\n".join(_without_theirs(fenced.sub("", text_of(path)).splitlines())))


def _without_theirs(lines: list[str]) -> Iterator[str]:
    is_theirs = False
    for line in lines:
        is_theirs = line.startswith("| theirs |") or (is_theirs and line.startswith("|"))
        yield re.sub(r"^\|(?:[^|\\]|\\.)*\|", "", line) if is_theirs else line


def calls(path: Path) -> Iterator[tuple[str, str]]:
    """Command and arguments of each call of ours, in spans and in blocks that are typed."""
    typed = (line for block in blocks(path) if block.kind in ("bash", "console") for line in block.text.splitlines())
    for line in (*spans(path), *typed):
        yield from _CALL.findall(line.partition("  # ")[0])


@functools.cache
def command(name: str) -> click.Command | None:
    return cli.commands.get_command(click.Context(cli.commands), name)


@functools.cache
def flags_of(name: str) -> frozenset[str]:
    found = command(name)
    assert found is not None, name
    options = {flag for parameter in found.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    return frozenset(options | {"-h", "--help"})


@functools.cache
def all_flags() -> frozenset[str]:
    names = cli.commands.list_commands(click.Context(cli.commands))
    return frozenset({"--version"}.union(*(flags_of(name) for name in names)))


@functools.cache
def keys() -> frozenset[str]:
    """Every key of every schema, every parameter of every model, and every section and setting of the configuration."""
    found = set(_properties(json.loads(text_of(ROOT / "schemas" / "job.schema.json"))))
    for schema in (ROOT / "schemas").glob("*.json"):
        found |= set(_properties(json.loads(text_of(schema))))
    found |= {name for entry in entries().values() for name in entry.parameters}
    return frozenset(found)


def _properties(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {}) if isinstance(schema.get("properties"), dict) else ()
        yield from (key for inner in schema.values() for key in _properties(inner))
    elif isinstance(schema, list):
        yield from (key for inner in schema for key in _properties(inner))


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_command_exists_and_has_these_flags(path: Path) -> None:
    wrong = []
    for name, rest in calls(path):
        if command(name) is None:
            wrong.append(f"flux2batch {name}")
            continue
        ours = re.split(r" [|>&;] ?|\) ", rest)[0]
        wrong += [f"flux2batch {name} {flag}" for flag in _flags(ours) if flag not in flags_of(name)]

    assert wrong == []


def _flags(rest: str) -> list[str]:
    try:
        words = shlex.split(rest, comments=True)
    except ValueError:  # a span that was cut in the middle of a text
        words = rest.split()
    return [flag for word in words for flag in _FLAG.findall(word)[:1] if word.startswith("-")]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_flag_exists(path: Path) -> None:
    alone = [flag for span in spans(path) if span.startswith("-") for flag in _flags(span)[:1]]

    assert [flag for flag in alone if flag not in all_flags() | NO_FLAGS] == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_code_exists(path: Path) -> None:
    assert {code for code in re.findall(r"\bFB\d{3}\b", text_of(path)) if code not in codes.ALL} == set()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_model_exists(path: Path) -> None:
    assert set(_MODEL.findall(text_of(path))) - set(entries()) - NO_MODELS == set()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_key_exists(path: Path) -> None:
    assert [key for span in spans(path) for key in _keys_in(span) if key not in keys() | OTHER_KEYS] == []


def _keys_in(span: str) -> list[str]:
    """The keys of a span that is a piece of a job: `budget:`, `equal: share`, `run.timeout`, `{exact: 1080x1350}`."""
    if re.fullmatch(r"[a-z_]+:", span):
        return [span[:-1]]
    if dotted := re.fullmatch(r"(params|run|output|sheet|budget)\.([a-z_]+)", span):
        return list(dotted.groups())
    if not re.match(r"^\{?[a-z_]+: ", span) or span.startswith("http"):
        return []
    try:
        said = yaml.load(span, yaml.BaseLoader)
    except yaml.YAMLError:
        return []
    return list(said)[:1] if isinstance(said, dict) else []


def test_the_guards_see_what_they_are_there_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("`flux2batch frob`, `flux2batch run --frob`, `--frob`, FB999, `bfl/flux-9`, `frob: 3`\n", "utf-8")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)

    for test in (
        test_every_command_exists_and_has_these_flags,
        test_every_flag_exists,
        test_every_code_exists,
        test_every_model_exists,
        test_every_key_exists,
    ):
        with pytest.raises(AssertionError):
            test(page)


def test_every_command_has_its_place_in_the_documents() -> None:
    """A command that nobody shows is one that nobody finds."""
    shown = {name for path in PAGES if path.name != "commands.md" for name, _ in calls(path)}

    assert set(cli.commands.list_commands(click.Context(cli.commands))) - shown == set()
