"""The command line as a process: streams, exit codes, suggestions, and the calm end of everything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flux2batch import __version__, cli

ROOT = Path(__file__).resolve().parents[2]
GOOD = 'flux2batch: 1\nprompt: "a paper boat on a {{ colour }} sea"\nsweep: {colour: [blue, red], seed: 1..2}\n'
COMMANDS = [entry.name for _, entries in cli.SECTIONS for entry in entries]


def run(*arguments: str, cwd: Path | None = None, module: bool = True) -> subprocess.CompletedProcess[str]:
    """One command in a process of its own, as a user would start it."""
    command = [sys.executable, "-m", "flux2batch"] if module else [str(Path(sys.executable).with_name("flux2batch"))]
    return subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("validate", "--help"), ("nonsense",)])
def test_the_module_and_the_script_are_one_program(arguments: tuple[str, ...]) -> None:
    by_module, by_script = run(*arguments), run(*arguments, module=False)

    assert (by_module.returncode, by_module.stdout, by_module.stderr) == (
        by_script.returncode,
        by_script.stdout,
        by_script.stderr,
    )


def test_version_and_help_import_nothing_heavy() -> None:
    code = (
        "import sys; from flux2batch.__main__ import main; main([sys.argv[1]]);"
        "heavy = {'click', 'yaml', 'jsonschema', 'jinja2', 'PIL', 'requests', 'wcwidth', 'platformdirs'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    imported = {
        flag: subprocess.run([sys.executable, "-c", code, flag], capture_output=True, text=True, check=True)
        for flag in ("--version", "--help")
    }

    assert imported["--version"].stderr == "[]\n"
    assert imported["--help"].stderr == "['click']\n"


def test_validating_a_plain_job_imports_nothing_that_it_does_not_use(job: Path) -> None:
    code = (
        "import sys; from flux2batch.__main__ import main; main(['validate', sys.argv[1]]);"
        "unused = {'PIL', 'openpyxl', 'requests', 'urllib3', 'certifi', 'tenacity', 'sqlite3', 'email', 'ssl',"
        " 'flux2batch.reading.faults', 'flux2batch.reading.yaml_faults', 'flux2batch.reading.patching',"
        " 'flux2batch.planning.references.shelf', 'flux2batch.engine', 'flux2batch.providers'};"
        "print(sorted(unused & set(sys.modules)), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code, str(job)], capture_output=True, text=True, check=True)

    assert done.stderr == "[]\n"


def test_help_goes_to_stdout_and_fits_a_narrow_terminal() -> None:
    done = run("--help")

    assert (done.returncode, done.stderr) == (0, "")
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert all(re.search(rf"^  {code} +\w", done.stdout, re.MULTILINE) for code, _ in cli.EXIT_CODES)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_starts_with_examples_and_fits(name: str) -> None:
    done = run(name, "--help")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Examples:\n")
    assert f"$ flux2batch {name}" in done.stdout or f"flux2batch {name}" in done.stdout.split("Usage:")[0]
    too_wide = [line for line in done.stdout.splitlines() if len(line) > 80 and not line.startswith("    $ ")]
    assert too_wide == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_in_the_overview_what_it_says_of_itself(name: str) -> None:
    import click

    command = cli.commands.get_command(click.Context(cli.commands), name)
    entry = next(entry for _, entries in cli.SECTIONS for entry in entries if entry.name == name)

    assert command is not None
    assert command.short_help == entry.summary
    assert all(option.help for option in command.params if isinstance(option, click.Option))
    assert any("--color" in option.opts for option in command.params)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("valdate", "x"),                   "error: no such command 'valdate'\n  = help: did you mean 'validate'?\n"),
        (("validate", "x", "--fromat", "y"), "error: no such option '--fromat'\n  = help: did you mean '--format'?\n"),
        (("validate", "x", "--format=xml"),  "error: invalid value for '--format': 'xml' is not one of"),
        (("validate",),                      "error: missing argument 'FILE…'"),
        (("explain", "FB2O4"),               "error: there is no code 'FB2O4'"),
        (("explain", "exit-coeds"),          "did you mean 'exit-codes'?"),
        (("schema", "jobb"),                 "error: there is no schema 'jobb' (did you mean 'job'?)"),
    ],
)  # fmt: skip
def test_a_mistyped_command_line_is_answered_with_exit_code_2(arguments: tuple[str, ...], says: str) -> None:
    done = run(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_at_all_shows_the_overview() -> None:
    done = run()

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == run("--help").stdout


def test_a_good_job_is_ok(job: Path) -> None:
    done = run("validate", job.name, cwd=job.parent)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ok  job.yaml  ")


def test_a_bad_job_says_everything_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("flux2batch: 1\npromt: x\nparams: {widht: 1}\n", encoding="utf-8")

    done = run("validate", "bad.yaml", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error[FB201]: unknown key 'promt'\n --> bad.yaml:2:1\n  |\n2 | promt: x\n")
    assert "bad.yaml:3:10" in done.stderr
    assert "\x1b" not in done.stderr


def test_one_bad_file_does_not_hide_the_others(job: Path) -> None:
    (job.parent / "bad.yaml").write_text("flux2batch: 1\nprompt:\n", encoding="utf-8")

    done = run("validate", "missing.yaml", "bad.yaml", job.name, cwd=job.parent)

    assert done.returncode == 3
    assert done.stdout.startswith("ok  job.yaml")
    assert "FB001" in done.stderr
    assert "FB207" in done.stderr


def test_two_jobs_of_one_folder_may_not_share_a_name(tmp_path: Path) -> None:
    """B55: the second is told, with a note on the first."""
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("name: boats\n" + GOOD, encoding="utf-8")

    done = run("validate", "a.yaml", "b.yaml", "--format", "json", cwd=tmp_path)

    (problem,) = json.loads(done.stdout)["problems"]
    assert done.returncode == 3
    assert (problem["code"], problem["file"], problem["line"], problem["col"]) == ("FB211", "b.yaml", 1, 7)
    assert problem["notes"][0]["file"] == "a.yaml"


@pytest.mark.parametrize("format", ["json", "sarif", "github"])
@pytest.mark.usefixtures("job")
def test_a_form_for_machines_is_all_there_is_on_stdout(tmp_path: Path, format: str) -> None:
    (tmp_path / "bad.yaml").write_text("flux2batch: 1\npromt: x\n", encoding="utf-8")

    done = run("validate", "bad.yaml", "job.yaml", "--format", format, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (3, "")
    assert "ok" not in done.stdout.splitlines()[0]
    assert "FB201" in done.stdout


def test_warnings_change_the_exit_code_only_when_strict(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(GOOD + "description: a fox and nothing else #1\n", encoding="utf-8")

    lenient, strict = run("validate", "job.yaml", cwd=tmp_path), run("validate", "job.yaml", "--strict", cwd=tmp_path)

    assert "warning[FB121]" in lenient.stderr
    assert (lenient.returncode, strict.returncode) == (0, 3)
    assert "ok" in lenient.stdout
    assert "ok" not in strict.stdout


def test_set_is_part_of_what_is_checked(job: Path) -> None:
    done = run("validate", job.name, "--set", "params.size=no", cwd=job.parent)

    assert done.returncode == 3


@pytest.mark.parametrize("argument", ["FB204", "fb204", "204", "error[FB204]"])
def test_explain_takes_a_code_as_it_was_copied(argument: str) -> None:
    done = run("explain", argument)

    assert done.returncode == 0
    assert done.stdout.startswith("FB204: number out of range\n")
    assert "For example:" in done.stdout


def test_explain_says_of_a_code_that_only_warns_that_its_exit_code_is_that_of_strict() -> None:
    assert "A warning. With --strict exit code 3: " in run("explain", "FB318").stdout
    assert "\nExit code 3: " in run("explain", "FB204").stdout
    assert re.search(r"FB318 +\(3\)  ", run("explain").stdout)


def test_explain_lists_exit_codes_and_codes() -> None:
    exits, all_codes = run("explain", "exit-codes"), run("explain")

    assert [int(n) for n in re.findall(r"^ *(\d+)  \w", exits.stdout, re.MULTILINE)] == [c for c, _ in cli.EXIT_CODES]
    assert "FB001" in all_codes.stdout
    assert json.loads(run("explain", "FB204", "--json").stdout)["codes"][0]["code"] == "FB204"


def test_schema_prints_what_ships() -> None:
    done = run("schema")

    assert done.stdout == (ROOT / "schemas" / "job.schema.json").read_text(encoding="utf-8")
    assert "diagnostics" in run("schema", "--list").stdout.split()


# The ends


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m flux2batch schema | head -c 10; echo ${{PIPESTATUS[0]}}"

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60)

    assert done.stderr == ""
    assert done.stdout.endswith("\n0\n") or done.stdout.endswith("0\n")


_BUG = """
import sys
from flux2batch import cli
from flux2batch.__main__ import main

def broken(argv):
    raise LookupError(f"x-key: canary-5f2a9c {__import__('os').environ['BFL_API_KEY']} https://d.example/a.png?sig=canary")

cli.run = broken
sys.exit(main(["plan", "job.yaml", "token=canary-command"]))
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("arguments", ["--version", "--help", "schema", "models --json", "explain FB204"])
def test_output_that_a_full_disk_refuses_is_no_bug(arguments: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "flux2batch", *arguments.split()],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert (done.returncode, done.stderr) == (
        7, "error: the disk is full. Make room there, then run the same command again.\n",
    )  # fmt: skip


def test_a_bug_ends_in_one_calm_paragraph_and_a_report_without_secrets(tmp_path: Path) -> None:
    environ = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state"), "BFL_API_KEY": "canary-9b1d77e0"}

    done = subprocess.run(
        [sys.executable, "-c", _BUG], capture_output=True, text=True, env=environ, timeout=60, check=False
    )

    (report,) = (tmp_path / "state").rglob("crash-*.txt")
    text = report.read_text(encoding="utf-8")
    assert (done.returncode, done.stdout) == (8, "")
    assert f"this is a bug in flux2batch {__version__} (LookupError)" in done.stderr
    assert str(report) in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in text
    assert "canary" not in text
    assert report.stat().st_mode & 0o077 == 0


def test_a_bug_is_told_even_where_no_report_can_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    environ = os.environ | {"XDG_STATE_HOME": str(blocked), "HOME": str(blocked), "BFL_API_KEY": "k" * 20}
    code = _BUG.replace("import sys\n", "import sys, tempfile\ntempfile.gettempdir = lambda: sys.argv[1]\n", 1)

    done = subprocess.run(
        [sys.executable, "-c", code, str(blocked)], capture_output=True, text=True, env=environ, timeout=60, check=False
    )

    assert done.returncode == 8
    assert "No report could be written" in done.stderr
