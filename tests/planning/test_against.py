"""`flux2batch plan --against REV|DIR` and `--why SHOT`: real repositories, and nothing in them is run or changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

from flux2batch.cli import run

ROOT = Path(__file__).parents[2]
BOATS = 'flux2batch: 1\nname: boats\nprompt: "a {{ colour }} boat"\nsweep: {colour: [red, blue], seed: 1..3}\n'
PACK = "references: {pack: refs/pack.png}\nparams: {size: 512x512}\n"


@dataclass(frozen=True, slots=True)
class Result:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        return json.loads(self.stdout)


Planner = Callable[..., Result]


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Planner:
    """Runs `flux2batch plan` in this process."""
    monkeypatch.setenv("COLUMNS", "100")

    def planned(*arguments: object) -> Result:
        exit_code = run(["plan", *map(str, arguments)])
        out, err = capsys.readouterr()
        return Result(exit_code, out, err)

    return planned


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with a job in it, of which the first commit is `main`."""

    top: Path

    @property
    def job(self) -> Path:
        return self.top / "job.yaml"

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b.test", *arguments],
            cwd=self.top, input=stdin, capture_output=True, check=True,
        )  # fmt: skip
        return done.stdout.decode().strip()

    def commit(self) -> str:
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--message", "x")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository(tmp_path / "repository")
    made.top.mkdir()
    made.git("init", "--quiet", "--initial-branch", "main")
    made.job.write_text(BOATS, encoding="utf-8")
    made.commit()
    monkeypatch.chdir(made.top)
    return made


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def schema(name: str) -> Any:
    return json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))


# What is said


def test_two_more_seeds_of_the_experiment_are_88_shots_and_4_dollars_40(plan: Planner, repository: Repository) -> None:
    shutil.copy(ROOT / "specs" / "experiment.yaml", repository.job)
    repository.commit()
    edit(repository.job, "101..103", "101..105")
    edit(repository.job, "max_usd: 8.00, warn_usd: 5.00", "max_usd: 20.00")

    text, markdown = plan("job.yaml", "--against", "main"), plan("job.yaml", "--against", "main", "--markdown")
    data = plan("job.yaml", "--against", "main", "--json").data

    assert "+88 shots, −0, +$4.40" in text.stdout.splitlines()[0]
    assert "new on seed: 104 (44), 105 (44)" in text.stdout
    assert "**+88 shots, −0, +$4.40** against main" in markdown.stdout
    assert "| new | 88 | $4.40 |" in markdown.stdout
    assert (len(data["added"]), data["removed"], data["changed"], data["delta_usd"]) == (88, [], [], 4.4)
    jsonschema.validate(data, schema("plan"))


def test_every_kind_of_change_is_told_apart_and_fits_the_schema(plan: Planner, repository: Repository) -> None:
    edit(repository.job, "[red, blue]", "[{id: red, text: crimson}, green]")
    edit(repository.job, "{{ colour }}", "{{ colour.text or colour }}")
    edit(repository.job, "1..3", "1..2")
    repository.job.write_text(repository.job.read_text() + 'output: {path: "{{ colour.id }}/{{ seed }}"}\n')

    edit(repository.job, "colour.text or colour", "colour.text if colour.id == 'red' and seed == 1 else colour.id")
    data = plan("job.yaml", "--against", "main", "--json").data

    jsonschema.validate(data, schema("plan"))
    assert [one["path"] for one in data["added"]] == ["green/1.png", "green/2.png"]
    assert {one["coordinates"]["colour"] for one in data["removed"]} == {"red", "blue"}
    assert [one["reasons"] for one in data["changed"]] == [
        [{"input": "prompt", "was": "a red boat", "now": "a crimson boat"}]
    ]
    assert [(one["was_path"], one["path"]) for one in data["moved"]] == [("red-2.png", "red/2.png")]
    assert data["kept"] == 1
    assert data["to_buy_usd"]["max"] == pytest.approx(0.09)


def test_nothing_changed_is_one_line(plan: Planner, repository: Repository) -> None:
    commit = repository.git("rev-parse", "--short=7", "main")

    assert (
        plan("job.yaml", "--against", "main").stdout.splitlines()[0]
        == f"boats against main ({commit}): nothing changed: 6 shots, $0.18"
    )


def test_changes_of_one_reason_stand_together(plan: Planner, repository: Repository) -> None:
    repository.job.write_text(BOATS + "params: {size: 512x512}\n")

    said = plan("job.yaml", "--against", "HEAD").stdout

    assert "+0 shots, −0, 6 changed, the price stays, $0.18 to buy" in said
    assert "~ 6 shots: size 1024x1024 → 512x512\n" in said
    assert "one of them in full: --why red-1.png" in said


def test_a_selection_holds_for_both_sides_and_set_for_this_one(plan: Planner, repository: Repository) -> None:
    selected = plan("job.yaml", "--against", "HEAD", "--only", "seed == 1", "--json").data
    changed = plan("job.yaml", "--against", "HEAD", "--set", "params.size=512x512", "--json").data

    assert (selected["shots"], selected["kept"], selected["removed"]) == (2, 2, [])
    assert len(changed["changed"]) == 6
    assert repository.git("status", "--porcelain") == ""


def test_what_a_comment_shows_cannot_leave_its_place(plan: Planner, repository: Repository) -> None:
    repository.job.write_text(
        BOATS.replace("[red, blue]", '[{id: "x", text: "<img src=x> @all"}]').replace("a {{", "{{")
    )
    edit(repository.job, "name: boats", 'name: "boats <script> [a](b) @everybody | x"')

    said = plan("job.yaml", "--against", "HEAD", "--markdown").stdout

    assert "<script>" not in said
    assert "@" not in said
    assert "](" not in said


# Where a revision comes from


def test_references_are_those_of_the_revision(plan: Planner, repository: Repository) -> None:
    (repository.top / "refs").mkdir()
    repository.job.write_text(BOATS + PACK)
    Image.new("RGB", (64, 64), "red").save("refs/pack.png")
    repository.commit()
    Image.new("RGB", (64, 64), "blue").save("refs/pack.png")

    (reasons,) = {one["reasons"][0]["input"] for one in plan("job.yaml", "--against", "HEAD", "--json").data["changed"]}

    assert reasons == "reference pack"


def test_the_folder_of_a_job_is_sought_as_it_was(plan: Planner, repository: Repository) -> None:
    folder = repository.top / "jobs" / "spring"
    (folder).mkdir(parents=True)
    (repository.top / "jobs" / "flux2batch.toml").touch()
    Image.new("RGB", (64, 64), "red").save(repository.top / "jobs" / "pack.png")
    (folder / "job.yaml").write_text(BOATS + PACK.replace("refs/", "../"))
    repository.commit()

    data = plan("jobs/spring/job.yaml", "--against", "HEAD", "--json").data

    assert (data["kept"], data["against_remark"]) == (6, None)


def test_a_folder_that_is_allowed_is_that_of_the_revision_too(plan: Planner, repository: Repository) -> None:
    (repository.top / "jobs").mkdir()
    (repository.top / "shared").mkdir()
    Image.new("RGB", (64, 64), "red").save("shared/pack.png")
    Path("jobs/job.yaml").write_text(BOATS + PACK.replace("refs/", "../shared/"))
    repository.commit()
    Image.new("RGB", (64, 64), "blue").save("shared/pack.png")

    data = plan("jobs/job.yaml", "--allow-path", "shared", "--against", "HEAD", "--json").data

    assert (len(data["changed"]), data["against_remark"]) == (6, None)


@pytest.mark.parametrize("revision", ["HEAD~1", "main", "v1", "HEAD@{0}^", "refs/heads/main"])
def test_a_revision_is_whatever_git_takes_for_one(plan: Planner, repository: Repository, revision: str) -> None:
    repository.git("tag", "v1")
    repository.git("checkout", "--quiet", "-b", "work")
    edit(repository.job, "1..3", "1..4")
    repository.commit()

    assert len(plan("job.yaml", "--against", revision, "--json").data["added"]) == 2


@pytest.mark.usefixtures("repository")
def test_a_job_that_is_new_there_has_new_shots_alone_and_says_why(plan: Planner) -> None:
    Path("other.yaml").write_text(BOATS.replace("boats", "other"))

    result = plan("other.yaml", "--against", "main")

    assert result.exit_code == 0
    assert "+6 shots, −0, +$0.18" in result.stdout
    assert "other.yaml is not in main; so every shot counts as new." in result.stdout


def test_a_job_that_was_broken_there_is_no_reason_to_stop(plan: Planner, repository: Repository) -> None:
    edit(repository.job, "prompt:", "promt:")
    repository.commit()
    repository.job.write_text(BOATS)

    result = plan("job.yaml", "--against", "HEAD", "--json")

    assert result.exit_code == 0
    assert "unknown key 'promt'" in result.data["against_remark"]
    assert len(result.data["added"]) == 6


@pytest.mark.parametrize(
    ("against", "exit_code", "says"),
    [
        ("mian", 2, "there is no revision and no run directory 'mian' (did you mean 'main'?)"),
        ("origin/release", 2, "is fetched first: git fetch origin release"),
        ("HEAD~9", 2, "git log names those that there are"),
        ("--output=x", 2, "there is no revision"),
        ("HEAD:job.yaml", 2, "there is no revision"),
        ("runs", 2, "there is no revision and no run directory 'runs'"),
    ],
)
def test_what_is_no_revision_is_said_plainly(
    plan: Planner, repository: Repository, against: str, exit_code: int, says: str
) -> None:
    (repository.top / "runs").mkdir()

    result = plan("job.yaml", f"--against={against}")

    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert says in result.stderr


def test_outside_of_a_repository_there_are_no_revisions(
    plan: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "job.yaml").write_text(BOATS)

    result = plan(tmp_path / "job.yaml", "--against", "HEAD")

    assert result.exit_code == 2
    assert "lies in no git repository, so it has no revisions to compare with" in result.stderr


# Red where --why alone falls back on a commit that there cannot be: it spoke of revisions that nobody had named.
def test_why_with_nothing_to_compare_with_says_what_it_needs(
    plan: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(BOATS)
    needs = "--why compares with the last run or the last commit, and there is neither: nothing was run in "

    alone = plan("job.yaml", "--why", "red-1")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    before_a_commit = plan("job.yaml", "--why", "red-1")
    monkeypatch.setenv("PATH", str(tmp_path))
    without_git = plan("job.yaml", "--why", "red-1")

    for said, missing in (
        (alone, f"{tmp_path} lies in no git repository"),
        (before_a_commit, "the git repository has no commit yet"),
        (without_git, "git is not installed"),
    ):
        assert said.exit_code == 2
        assert said.stderr.startswith(f"error: {needs}")
        assert f"and {missing}. Name a run directory to compare with: --against DIR." in said.stderr


def test_why_names_the_run_on_the_emulator_that_it_could_compare_with(
    plan: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(BOATS)
    assert run(["run", "job.yaml", "--emulate", "--quiet", "--limit", "1"]) == 0
    (made,) = (tmp_path / "runs").iterdir()

    said = plan("job.yaml", "--why", "red-1").stderr

    assert f"Name a run directory to compare with, such as runs/{made.name}: --against DIR." in said
    assert plan("job.yaml", "--why", "red-1", "--against", f"runs/{made.name}").exit_code == 0


@pytest.mark.usefixtures("repository")
def test_without_git_it_says_what_is_missing(plan: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    result = plan("job.yaml", "--against", "HEAD")

    assert result.exit_code == 7
    assert "git is not installed" in result.stderr


# Nothing is run, nothing is changed, nothing is followed


def test_no_hook_no_filter_and_no_monitor_of_the_repository_is_run(plan: Planner, repository: Repository) -> None:
    """Seen red with `git archive`, which runs the filter, and with `git status`, which runs the monitor."""
    ran = repository.top / "ran"
    program = repository.top / "program"
    program.write_text(f'#!/bin/sh\necho "$0" >> "{ran}"\ncat\n')
    program.chmod(0o755)
    (repository.top / ".gitattributes").write_text("*.yaml filter=own diff=own\n")
    repository.commit()
    for name, value in {
        "core.hooksPath": str(repository.top / "hooks"),
        "core.fsmonitor": str(program),
        "filter.own.smudge": str(program),
        "filter.own.clean": str(program),
        "filter.own.required": "true",
        "diff.own.textconv": str(program),
        "alias.ls-tree": f"!{program}",
        "core.pager": str(program),
    }.items():
        repository.git("config", name, value)
    (repository.top / "hooks").mkdir()
    for hook in ("post-checkout", "post-index-change", "pre-commit", "reference-transaction"):
        shutil.copy(program, repository.top / "hooks" / hook)
    before = {path: path.read_bytes() for path in (repository.top / ".git").rglob("*") if path.is_file()}

    result = plan("job.yaml", "--against", "HEAD", "--json")

    assert result.data["kept"] == 6
    assert not ran.exists()
    assert before == {path: path.read_bytes() for path in (repository.top / ".git").rglob("*") if path.is_file()}


def test_what_an_archive_would_leave_out_is_read_all_the_same(plan: Planner, repository: Repository) -> None:
    (repository.top / "refs").mkdir()
    Image.new("RGB", (64, 64), "red").save("refs/pack.png")
    repository.job.write_text(BOATS + PACK)
    (repository.top / ".gitattributes").write_text("refs export-ignore\n*.yaml export-subst\n")
    repository.commit()

    data = plan("job.yaml", "--against", "HEAD", "--json").data

    assert (data["kept"], data["against_remark"]) == (6, None)


def test_a_link_in_a_tree_leads_nowhere(plan: Planner, repository: Repository, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "secret.png")
    (repository.top / "refs").symlink_to(tmp_path)
    repository.job.write_text(BOATS + PACK.replace("pack.png", "secret.png"))
    repository.commit()
    repository.job.write_text(BOATS)

    remark = plan("job.yaml", "--against", "HEAD", "--json").data["against_remark"]

    assert "cannot be planned" in remark


@pytest.mark.parametrize("name", ["..", ".git", "../../escaped.yaml", ".", ""])
def test_a_tree_with_names_that_git_would_never_write_lays_nothing_outside(
    plan: Planner, repository: Repository, name: str, tmp_path: Path
) -> None:
    blob = repository.git("hash-object", "-w", "job.yaml")
    evil = b"100644 " + name.encode() + b"\0" + bytes.fromhex(blob)
    inner = repository.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=evil)
    good = b"100644 job.yaml\0" + bytes.fromhex(blob)
    top = b"40000 " + (name or "x").encode() + b"\0" + bytes.fromhex(inner)
    tree = repository.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=top + good)
    commit = repository.git("commit-tree", tree, "-m", "x")
    before = sorted(tmp_path.rglob("*.yaml"))

    result = plan("job.yaml", "--against", commit, "--json")

    assert result.exit_code in (0, 7)
    assert sorted(tmp_path.rglob("*.yaml")) == before


def test_a_pointer_of_git_lfs_is_what_it_points_to_where_that_is_here(plan: Planner, repository: Repository) -> None:
    (repository.top / "refs").mkdir()
    pack = repository.top / "refs" / "pack.png"
    Image.new("RGB", (64, 64), "red").save(pack)
    content = pack.read_bytes()
    name = hashlib.sha256(content).hexdigest()
    repository.job.write_text(BOATS + PACK)
    pack.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(content)}\n")
    repository.commit()

    pack.write_bytes(content)
    in_the_work_tree = plan("job.yaml", "--against", "HEAD", "--json").data
    Image.new("RGB", (64, 64), "blue").save(pack)
    nowhere = plan("job.yaml", "--against", "HEAD", "--json").data
    stored = repository.top / ".git" / "lfs" / "objects" / name[:2] / name[2:4] / name
    stored.parent.mkdir(parents=True)
    stored.write_bytes(content)
    in_the_store = plan("job.yaml", "--against", "HEAD", "--json").data

    assert in_the_work_tree["kept"] == 6
    assert "cannot be planned" in nowhere["against_remark"]
    assert len(in_the_store["changed"]) == 6


@pytest.mark.usefixtures("repository")
def test_what_git_told_a_hook_does_not_lead_astray(
    plan: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))

    assert plan("job.yaml", "--against", "main", "--json").data["kept"] == 6


def test_nothing_is_left_behind(
    plan: Planner, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    plan("job.yaml", "--against", "main")

    assert list((tmp_path / "temporary").iterdir()) == []
    assert repository.git("status", "--porcelain") == ""


# Against a run directory


@pytest.fixture
def ran(plan: Planner, repository: Repository) -> Path:
    """A run directory, as far as its plan goes."""
    root = repository.top / "runs" / "boats"
    root.mkdir(parents=True)
    assert plan("job.yaml", "--jsonl", "-o", root / "plan.jsonl").exit_code == 0
    return root


def test_a_run_directory_is_held_against_by_its_plan(plan: Planner, repository: Repository, ran: Path) -> None:
    edit(repository.job, "1..3", "1..4")

    data = plan("job.yaml", "--against", "runs/boats", "--json").data

    assert (data["against"], data["against_commit"]) == ("runs/boats", None)
    assert (len(data["added"]), data["kept"]) == (2, 6)
    assert ran.is_dir()


@pytest.mark.parametrize("content", ["{", '{"id": "x"}\n', "[]\n", "\udcff"])
def test_a_plan_that_was_changed_by_hand_is_named(plan: Planner, ran: Path, content: str) -> None:
    (ran / "plan.jsonl").write_bytes(content.encode("utf-8", "surrogateescape"))

    result = plan("job.yaml", "--against", "runs/boats")

    assert result.exit_code == 2
    assert "plan.jsonl is not as flux2batch wrote it" in result.stderr


# Why


def test_why_names_the_inputs_of_one_shot(plan: Planner, repository: Repository) -> None:
    repository.job.write_text(BOATS.replace('boat"', 'ship"') + "params: {size: 512x768}\n")

    said = plan("job.yaml", "--why", "red-2.png", "--against", "HEAD").stdout

    assert "red-2.png  changed since HEAD (" in said
    assert [line.split() for line in said.splitlines() if line.startswith("  size")] == [
        ["size", "1024x1024", "512x768"]
    ]
    assert "  - a red boat\n  + a red ship\n" in said


@pytest.mark.parametrize(
    ("shot", "state", "inputs"),
    [
        ("red-2.png", "changed", ["size"]),
        ("red-2", "changed", ["size"]),
        ("green-1", "new", []),
        ("blue-1", "gone", []),
    ],
)
def test_why_tells_a_program_what_became_of_a_shot(
    plan: Planner, repository: Repository, shot: str, state: str, inputs: list[str]
) -> None:
    repository.job.write_text(BOATS.replace("blue", "green") + "params: {size: 512x768}\n")

    data = plan("job.yaml", "--why", shot, "--json").data

    jsonschema.validate(data, schema("why"))
    assert (data["state"], [one["input"] for one in data["reasons"]]) == (state, inputs)


def test_a_shot_may_be_named_by_its_id_or_the_beginning_of_it(plan: Planner, repository: Repository) -> None:
    first = json.loads(plan("job.yaml", "--jsonl", "--limit", "1").stdout)

    for named in (first["id"], first["id"][:8]):
        assert plan("job.yaml", "--why", named, "--json").data["path"] == first["paths"][0]
    assert repository.job.exists()


def test_why_without_against_means_the_run_and_else_the_last_commit(plan: Planner, repository: Repository) -> None:
    assert plan("job.yaml", "--why", "red-1", "--json").data["against"] == "HEAD"

    root = repository.top / "runs" / "boats"
    root.mkdir(parents=True)
    plan("job.yaml", "--jsonl", "-o", root / "plan.jsonl")

    assert Path(plan("job.yaml", "--why", "red-1", "--json").data["against"]).resolve() == root.resolve()


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--why", "rde-1.png"], "there is no such shot (did you mean 'red-1.png'?)"),
        (["--why", "zzz"], "a shot is named by its path or its id, such as"),
        (["--why", "red-1", "--markdown"], "--why is about one shot"),
        (["--why", "red-1", "--jsonl"], "--jsonl lists the shots of one plan"),
        (["--against", "HEAD", "--jsonl"], "--jsonl lists the shots of one plan"),
        (["--against", "HEAD", "--shard", "1/2"], "--shard is a part of one plan"),
    ],
)
def test_what_cannot_be_answered_is_said(plan: Planner, flags: list[str], says: str) -> None:
    result = plan("job.yaml", *flags)

    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


def test_against_a_run_on_the_emulator_each_price_says_where_it_is_paid(
    plan: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Red with the price of a first run alone, which stood unexplained beside what the change comes to."""
    monkeypatch.chdir(tmp_path)
    Path("job.yaml").write_text(BOATS, encoding="utf-8")
    assert run(["run", "job.yaml", "--emulate", "--yes"]) == 0
    capsys.readouterr()
    Path("job.yaml").write_text(BOATS.replace("1..3", "1..4"), encoding="utf-8")

    said = plan("job.yaml", "--against", "runs/boats.emulated").stdout

    assert said.splitlines()[-2:] == [
        "A run in runs/boats would spend $0.24.",
        "Going on in runs/boats.emulated: 2 new shots, $0.06, by the emulator, so nothing. Nothing was sent.",
    ]
    other = Path("other.yaml")
    other.write_text(BOATS.replace("boats", "others"), encoding="utf-8")
    assert "Going on" not in plan(other, "--against", "runs/boats.emulated").stdout
