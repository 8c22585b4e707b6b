"""S48 to S56: what stands around a job: expressions, schemas, shells, modules, editors, networks, strangers."""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_hosts import FakeHosts
from raw_server import RawServer, answer, read_request, serving
from shop import BOAT, Service, Shop

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).parent / "regex_child.py"


# S48: expressions that are read against text from outside.


def test_s48_no_expression_of_ours_takes_more_than_a_moment_for_a_long_text() -> None:
    """In a process of its own with a hard stop: an expression that backtracks cannot be stopped from within."""
    done = subprocess.run([sys.executable, CHILD, "20000"], capture_output=True, text=True, timeout=240, check=False)

    assert done.returncode == 0, done.stderr[-400:]
    told = json.loads(done.stdout)
    assert told["tried"] > 50
    assert told["endless"] == []


def test_s48_a_job_brings_no_expression_of_its_own() -> None:
    """The language of a job has no key for one, and its templates no filter or test that takes one."""
    from flux2batch.planning.templates import filters, jinja_tests

    names = {name for module in (filters, jinja_tests) for name in vars(module)}
    schema = (ROOT / "schemas" / "job.schema.json").read_text(encoding="utf-8")

    assert not {name for name in names if re.search(r"regex|match|search", name)}
    assert '"format": "regex"' not in schema


# S49: schemas are ours, and nothing is fetched for them.


@pytest.fixture
def canary_host() -> Iterator[RawServer]:
    """Somewhere that nobody may ask."""

    def told(connection: Any, server: RawServer) -> None:
        read_request(connection, server)
        connection.sendall(answer(200, b"{}"))

    with serving(told) as server:
        yield server


SCHEMAS: dict[str, Callable[[str], str]] = {
    "a modeline": lambda url: f"# yaml-language-server: $schema={url}\n{BOAT}",
    "$schema": lambda url: f"{BOAT}$schema: {url}\n",
    "$ref": lambda url: f"{BOAT}vars: {{a: {{$ref: '{url}'}}}}\n",
    "$ref at the top": lambda url: f"{BOAT}$ref: {url}\n",
    "$ref among parameters": lambda url: BOAT.replace("{size", f"{{$ref: '{url}', size"),
}


@pytest.mark.parametrize("where", SCHEMAS)
def test_s49_a_schema_that_a_job_names_is_not_fetched(shop: Shop, canary_host: RawServer, where: str) -> None:
    shop.write(SCHEMAS[where](f"{canary_host.url}/evil.json"))

    for command in ("validate", "plan"):
        assert shop(command, "job.yaml").code in (0, 3, 4)

    assert canary_host.received == []


@pytest.mark.parametrize("inside", ["$schema", "$ref", "allOf"])
def test_s49_nor_one_that_an_entry_of_the_catalogue_names(shop: Shop, canary_host: RawServer, inside: str) -> None:
    entry = json.loads((ROOT / "schemas" / "models" / "bfl-flux-2-pro.json").read_text(encoding="utf-8"))
    url = f"{canary_host.url}/evil.json"
    entry |= {"model": "bfl/flux-2-next", inside: [{"$ref": url}] if inside == "allOf" else url}
    (shop.folder / "models").mkdir()
    (shop.folder / "models" / "next.json").write_text(json.dumps(entry), encoding="utf-8")
    (shop.folder / "config.toml").write_text('[models]\nfolders = ["models"]\n', encoding="utf-8")
    shop.write(BOAT.replace("bfl/flux-2-klein-4b", "bfl/flux-2-next"))

    shop("plan", "job.yaml", "--config", "config.toml")

    assert canary_host.received == []


def test_s49_not_even_a_schema_of_ours_could_fetch_another(canary_host: RawServer) -> None:
    """Should one of ours ever hold such a reference: the validator has nobody to ask."""
    from flux2batch.reading.validator import validator_of

    validator = validator_of({"$ref": f"{canary_host.url}/evil.json"})
    with pytest.raises(Exception, match=r"[Uu]nresolvable"):
        list(validator.iter_errors({}))

    assert canary_host.received == []


# S50: no archives.


def archives() -> dict[str, bytes]:
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as packed:
        packed.writestr("../../job.yaml", BOAT)
    with tarfile.open(fileobj=tarred, mode="w") as tar:
        entry = tarfile.TarInfo("../../job.yaml")
        entry.size = len(BOAT)
        tar.addfile(entry, io.BytesIO(BOAT.encode()))
    return {"job.zip": zipped.getvalue(), "job.tar": tarred.getvalue(), "job.yaml.gz": gzip.compress(BOAT.encode())}


@pytest.mark.parametrize("name", ["job.zip", "job.tar", "job.yaml.gz"])
@pytest.mark.parametrize("called", ["as it is", "job.yaml"])
def test_s50_an_archive_is_no_job_and_nothing_of_it_is_unpacked(shop: Shop, name: str, called: str) -> None:
    file = shop.folder / (name if called == "as it is" else called)
    file.write_bytes(archives()[name])

    said = shop("validate", file.name)

    assert said.code == 3
    assert [path.name for path in shop.folder.iterdir()] == [file.name]
    assert not (shop.folder.parent / "job.yaml").exists()


# S51: names that a shell would obey.

SHELL = ("-rf", "--help", "a;rm -rf x", "`id`", "$(id)", "${IFS}x", "a\nb", "a|b", "a>b", "~root", "$HOME", "*", "a?b")


@pytest.mark.parametrize("name", SHELL)
def test_s51_a_name_from_data_is_nothing_that_a_shell_obeys(shop: Shop, name: str) -> None:
    prompted = BOAT.replace('"a paper boat"', '"{{ x.text }}"')
    axis = f"sweep: {{x: [{{id: a, text: {json.dumps(name)}}}]}}\n"
    shop.write(f'{prompted}{axis}output: {{path: "{{{{ x.text }}}}/{{{{ x.text }}}}"}}\n')

    planned = shop("plan", "job.yaml", "--jsonl")

    assert planned.code == 0, planned.err
    ((path,),) = [row["paths"] for row in planned.lines]
    assert not set(path) & set(';`$|<>*?\n\r\t\\"')
    assert not any(part.startswith(("-", ".", " ", "~")) for part in path.split("/"))


@pytest.mark.parametrize("path", ["-rf", "a;b", "`id`", "a/$(id)", "a|b", "a/-x"])
def test_s51_nor_is_one_that_the_job_writes_itself(shop: Shop, path: str) -> None:
    shop.write(f"{BOAT}output: {{path: {json.dumps(path)}}}\n")

    said = shop("plan", "job.yaml")

    assert (said.code, "FB502" in said.err) == (3, True)


# S52: modules in the folder of a job.

PLANTED = ("yaml", "jinja2", "click", "json", "sqlite3", "platformdirs", "sitecustomize", "usercustomize", "conftest")


@pytest.mark.parametrize("how", ["the command", "python -m", "python -P -m"])
def test_s52_a_module_in_the_folder_of_a_job_is_not_imported(shop: Shop, how: str) -> None:
    shop.write()
    for name in PLANTED:
        shop.folder.joinpath(f"{name}.py").write_text(f"open({str(shop.folder / 'owned')!r}, 'a').write({name!r})\n")
    shop.folder.joinpath("flux2batch-1.dist-info").mkdir()
    shop.folder.joinpath("flux2batch-1.dist-info", "entry_points.txt").write_text(
        "[flux2batch.providers]\nbfl = yaml:x\n"
    )
    script = Path(sys.executable).with_name("flux2batch")
    start = {
        "the command": [str(script)],
        "python -m": [sys.executable, "-m", "flux2batch"],
        "python -P -m": [sys.executable, "-P", "-m", "flux2batch"],
    }[how]
    if how == "the command" and not script.exists():
        pytest.skip("the command is not installed beside this Python")

    done = subprocess.run([*start, "plan", "job.yaml"], cwd=shop.folder, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert not (shop.folder / "owned").exists()


# S53: where an editor finds the schema.


def test_s53_an_editor_is_led_to_a_file_beside_the_job_and_never_to_a_host() -> None:
    named = [
        (path.relative_to(ROOT).as_posix(), url)
        for folder in ("specs", "templates", "docs", "flux2batch", "schemas")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".yaml", ".yml", ".j2", ".md", ".py", ".json", ".html", "")
        if path.is_file()
        for url in re.findall(
            r"yaml-language-server: \$schema=(\S+)", path.read_text(encoding="utf-8", errors="replace")
        )
    ]

    assert named
    assert [each for each in named if "://" in each[1] or each[1].startswith("//")] == []


def test_s53_no_schema_of_ours_calls_itself_by_the_address_of_a_host() -> None:
    ids = {
        path.name: json.loads(path.read_text(encoding="utf-8")).get("$id", "")
        for path in (ROOT / "schemas").rglob("*.json")
    }

    assert {name: id for name, id in ids.items() if re.match(r"(?!https://json-schema\.org/)\w+://", id)} == {}


# S54: what is installed.


def test_s54_installing_runs_no_code_of_ours_and_takes_packages_by_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    required = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    required += [each for extra in project["project"]["optional-dependencies"].values() for each in extra]

    assert not (ROOT / "setup.py").exists()
    assert not (ROOT / "setup.cfg").exists()
    assert project["build-system"].keys() == {"requires", "build-backend"}
    assert "hooks" not in json.dumps(project["tool"]["hatch"])
    assert list(project["project"]["scripts"]) == ["flux2batch"]
    assert [each for each in required if "@" in each or "://" in each] == []


# S55: nobody is called.

QUIET = (
    ("--help",), ("--version",), ("init", "new"), ("validate", "job.yaml"), ("plan", "job.yaml"),
    ("plan", "job.yaml", "--markdown"), ("models",), ("models", "bfl/flux-2-pro"), ("schema",), ("explain", "FB204"),
    ("config",), ("status", "{root}"), ("ledger", "{root}"), ("sheet", "{root}"), ("resolve", "{root}"),
    ("export", "{root}", "--to", "out"), ("retry", "{root}", "--yes"),
)  # fmt: skip


class _Ear:
    """Hears every connection and every name that is looked up, in this process."""

    def __init__(self) -> None:
        self.on = False
        self.heard: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"):
            self.heard.append(f"{event} {arguments}")


_EAR = _Ear()  # an audit hook stays for good


def test_s55_only_a_run_calls_anybody(shop: Shop, service: Service) -> None:
    shop.write(f'{BOAT}references: {{boat: "https://cdn.evil.test/a.png"}}\n')
    made = shop("run", "job.yaml", "--yes", "--quiet", "--out", "run")
    assert made.code == 0, made.err
    _EAR.heard.clear()
    _EAR.on = True
    try:
        codes = {words: shop(*(word.replace("{root}", "run") for word in words)).code for words in QUIET}
    finally:
        _EAR.on = False

    assert _EAR.heard == []
    assert {words: code for words, code in codes.items() if code != 0} == {}
    assert service.books.counts()["tasks"] == 1


# S56: a pull request of a stranger.


def test_s56_a_check_of_a_pull_request_needs_no_key(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BFL_API_KEY", "FAL_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request_target")
    shop.write()

    assert shop("validate", "job.yaml").code == 0
    assert shop("plan", "job.yaml", "--markdown").code == 0
    assert shop("run", "job.yaml", "--emulate", "--quiet").code == 0


@pytest.mark.parametrize("command", ["run", "retry"])
def test_s56_where_strangers_bring_jobs_nothing_is_bought(
    shop: Shop, hosts: FakeHosts, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    hosts["api.bfl.ai"].answers["/v1/flux-2-klein-4b"] = (422, {}, b'{"detail": "no"}')
    shop.write()
    if command == "retry":
        assert shop("run", "job.yaml", "--yes", "--quiet").code == 1
    asked = len(hosts["api.bfl.ai"].received)
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request_target")

    said = shop(command, "job.yaml", "--yes", "--quiet", "--max-usd", "1")

    assert (said.code, "FB707" in said.err) == (4, True)
    assert len(hosts["api.bfl.ai"].received) == asked
    assert command == "retry" or not (shop.folder / "runs").exists()
