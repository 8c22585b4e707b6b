"""In an editor: completion, hover and diagnostics of job files, by the YAML server that editors really use.

It is installed by `make peers` into .peers/editor. Where it is not installed these tests are skipped, except in CI.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from language_server import LanguageServer, serving
from needing import needs

from flux2batch.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / ".peers" / "editor" / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
MODELINE = "# yaml-language-server:"
JOBS = sorted(
    file for file in (ROOT / "specs").rglob("*.yaml") if file.read_text(encoding="utf-8").startswith(MODELINE)
)
assert JOBS, "no example names the schema, so none would be tried"
OFFLINE = {"yaml.schemaStore.enable": False, "yaml.kubernetesCRDStore.enable": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `init` writes."""
    made = tmp_path_factory.mktemp("editor").resolve()
    assert main(["init", str(made)]) == 0
    return made


@pytest.fixture(scope="module")
def command() -> list[str]:
    node = shutil.which("node")
    needs(node is not None, "Node is not installed")
    needs(SERVER.is_file(), "the YAML server is not installed")
    return [str(node), str(SERVER), "--stdio"]


@pytest.fixture(scope="module")
def editor(folder: Path, command: list[str]) -> Iterator[LanguageServer]:
    """An editor that knows of flux2batch nothing but what the first line of a job says."""
    with serving(command, folder, OFFLINE) as server:
        yield server


@pytest.fixture(scope="module")
def code(folder: Path, command: list[str]) -> Iterator[LanguageServer]:
    """An editor with the settings that `init` wrote."""
    settings = json.loads((folder / ".vscode" / "settings.json").read_text(encoding="utf-8"))
    with serving(command, folder, {**OFFLINE, **settings}) as server:
        yield server


def modeline(folder: Path) -> str:
    return (folder / "job.yaml").read_text(encoding="utf-8").splitlines()[0]


def labels(answer: Any) -> list[str]:
    return [item["label"] for item in (answer["items"] if isinstance(answer, dict) else answer)]


def test_the_job_that_init_writes_is_fine(editor: LanguageServer, folder: Path) -> None:
    uri = editor.open(folder / "job.yaml", (folder / "job.yaml").read_text(encoding="utf-8"))

    assert editor.diagnostics(uri) == []


def test_swe_is_completed_to_sweep(editor: LanguageServer, folder: Path) -> None:
    text = f"{modeline(folder)}\nflux2batch: 1\nprompt: a paper boat\nswe"
    uri = editor.open(folder / "completion.yaml", text)

    answer = editor.at("completion", uri, 3, 3)

    assert "sweep" in labels(answer)
    (item,) = (item for item in answer["items"] if item["label"] == "sweep")
    assert "Axes that are multiplied" in json.dumps(item["documentation"])


def test_a_parameter_is_completed_inside_params(editor: LanguageServer, folder: Path) -> None:
    uri = editor.open(
        folder / "params.yaml", f"{modeline(folder)}\nflux2batch: 1\nprompt: a paper boat\nparams:\n  gui"
    )

    assert "guidance" in labels(editor.at("completion", uri, 4, 5))


def test_hovering_over_a_key_shows_what_the_schema_says_of_it(editor: LanguageServer, folder: Path) -> None:
    text = f"{modeline(folder)}\nflux2batch: 1\nprompt: a paper boat\nbudget: {{max_usd: 1}}\n"
    uri = editor.open(folder / "hover.yaml", text)
    schema = json.loads((folder / "schemas" / "job.schema.json").read_text(encoding="utf-8"))

    hovered = editor.at("hover", uri, 3, 2)

    said = " ".join(hovered["contents"]["value"].replace("\\", "").split())
    assert " ".join(schema["properties"]["budget"]["markdownDescription"].split())[:60] in said
    assert hovered["range"]["start"] == {"line": 3, "character": 0}


def test_promt_is_marked_where_it_stands(editor: LanguageServer, folder: Path) -> None:
    uri = editor.open(folder / "wrong.yaml", f"{modeline(folder)}\nflux2batch: 1\nprompt: x\npromt: a paper boat\n")

    (found,) = editor.diagnostics(uri)

    assert found["message"] == "Property promt is not allowed."
    assert found["range"] == {"start": {"line": 3, "character": 0}, "end": {"line": 3, "character": 5}}


@pytest.mark.parametrize(
    "line", ["budget: {max_us: 1}", "params: {widht: 1}", "output: {pth: x}", "run: {ordr: x}", "sheet: {z: x}"]
)
def test_an_unknown_key_in_a_section_is_named(editor: LanguageServer, folder: Path, line: str) -> None:
    """Seen red: `errorMessage` on a section makes the editor say that it must be a mapping, which it is."""
    uri = editor.open(
        folder / f"unknown-{line.split(':')[0]}.yaml", f"{modeline(folder)}\nflux2batch: 1\nprompt: x\n{line}\n"
    )

    assert [found["message"].split(" ")[0] for found in editor.diagnostics(uri)] == ["Property"]


@pytest.mark.parametrize("name", ["jobs/boats.yaml", "boats.flux2batch.yaml"])
def test_the_settings_that_init_writes_find_jobs_without_a_first_line(
    code: LanguageServer, folder: Path, name: str
) -> None:
    uri = code.open(folder / name, "flux2batch: 1\nprompt: x\npromt: y\n")

    assert ["promt" in found["message"] for found in code.diagnostics(uri)] == [True]


def test_the_settings_leave_other_yaml_alone(code: LanguageServer, folder: Path) -> None:
    uri = code.open(folder / "compose.yaml", "services: {web: {image: x}}\n")

    assert code.diagnostics(uri) == []


@pytest.mark.parametrize("job", JOBS, ids=lambda path: str(path.relative_to(ROOT / "specs")))
def test_an_example_of_ours_is_fine(editor: LanguageServer, job: Path) -> None:
    assert editor.diagnostics(editor.open(job, job.read_text(encoding="utf-8"))) == []
