"""Files with several mistakes: all are told in one go, in the order of the file, and none that only follows."""

# ruff: noqa: E501  # the cases are a table, one a line

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flux2batch.cli import run
from flux2batch.errors import InvalidInput
from flux2batch.planning.configuration import load_configuration
from flux2batch.planning.plan import plan_job
from flux2batch.reading.load import load_sound_part

# The job begins at line 2 of the file: line 1 is the version of the language.
FLEX = "model: bfl/flux-2-flex\n"
CASES = [
    # name, job, what is told, in this order
    ("of every stage", FLEX + 'promt: "a {{ color }} sea"\nparams: {size: 500x500, guidance: 12}\nsweep: {colour: [blue, green]}', "FB201 3:1, FB301 3:14, FB204 4:16, FB204 4:35"),
    ("name, number, sheet", FLEX + 'prompt: "a {{ ligth }}"\nparams: {guidance: 60}\nsweep: {light: [dawn, dusk]}\nsheet: {x: guidanse}', "FB301 3:15, FB204 4:20, FB203 6:12"),
    ("key and number", FLEX + "prompt: a boat\nparams: {guidance: 60, stesp: 20}", "FB204 4:20, FB201 4:24"),
    ("the value of a misspelt key", FLEX + "prompt: a boat\nparams: {stesp: many}", "FB201 4:10, FB205 4:17"),
    ("a misspelt section", 'prompt: "{{ a }} {{ b }}"\nsweap: {a: [1, 1]}', "FB301 2:21, FB201 3:1, FB317 3:16"),
    ("an axis that cannot be read", FLEX + 'prompt: "{{ a }} {{ b }}"\nsweep: {a: 5..1, guidance: [2, 60]}\nexclude: [{a: 2}]', "FB301 3:21, FB311 4:12, FB204 4:32"),
    ("an axis of no shape", 'prompt: "{{ a.text }} {{ b }}"\nsweep: {a: {rnge: 1..2}}\nparams: {width: 1000, height: 768}\nsheet: {x: a}', "FB301 2:26, FB201 3:13, FB204 4:17"),
    ("axes of no shape", 'prompt: "{{ a }} {{ b }}"\nsweep: a\nexclude: [{a: 1}]\nsheet: {x: a}', "FB205 3:8"),
    ("another tool's name for the sweep", 'prompt: "{{ a }} {{ b }}"\naxes: {a: [1, 2]}', "FB301 2:21, FB201 3:1"),
    ("half a size", "prompt: a boat\nparams: {width: 1024, height: tall}\nsheet: {x: a}", "FB205 3:31, FB203 4:12"),
    ("a table that is none", 'prompt: "{{ p.x }} {{ q }}"\ndata: {t: {fil: x.csv}}\nsweep: {p: data.t}', "FB301 2:23, FB201 3:12"),
    ("a reference that is none", 'prompt: "{{ ref(\'f\') }} {{ q }}"\nreferences: {f: {pat: x.png}}', "FB301 2:28, FB201 3:18"),
    ("a call for a reference that was lost", 'prompt: "{{ ref(\'f\') }}"\nreferences: {f: {pat: x.png}}', "FB201 3:18"),
    ("constants of one another", 'prompt: "{{ a }} {{ c }}"\nvars: {a: "{{ b }}", b: "{{ x"}', "FB301 2:21, FB302 3:26"),
    ("lengths and a name", FLEX + 'prompt: "{{ a }} {{ c }}"\nzip: [{a: [1, 2], b: [1, 2, 3]}]\nparams: {guidance: 60}', "FB301 3:21, FB310 4:19, FB204 5:20"),
    ("rules that name nothing", FLEX + 'prompt: "{{ a }}"\nsweep: {a: [x, y], steps: [20, 99]}\nexclude: [{b: 1}, {a: z}]', "FB204 4:32, FB201 5:12, FB312 5:23"),
    ("too many, and a name", 'prompt: "{{ a }} {{ b }}"\nsweep: {a: 1..1000, seed: 1..1000000}', "FB301 2:21, FB605 3:21"),
    ("a model that is none", 'model: [x]\nprompt: "{{ b }}"\nparams: {steps: 3}', "FB205 2:8, FB301 3:13"),
    ("a misspelt parameter", FLEX + "prompt: a boat\nsweep: {guidence: [2, 3.5, 6]}\nsheet: {x: guidance}", "FB201 4:9"),
    ("a secret, and no more", 'promt: "{{ b }}"\napi_key: bfl_0123456789abcdef0123456789abcdef', "FB201 2:1, FB701 3:1"),
]  # fmt: skip


@pytest.mark.parametrize(("job", "told"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_all_mistakes_are_told_at_once_and_nothing_that_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], job: str, told: str
) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(f"flux2batch: 1\n{job}\n", encoding="utf-8")

    code = run(["validate", str(file), "--format", "json"])

    found = json.loads(capsys.readouterr().out)["problems"]
    assert ", ".join(f"{each['code']} {each['line']}:{each['col']}" for each in found) == told
    assert code in (3, 4)


# Red where `plan` and `run` stop at what is wrong with the shape of the file.
@pytest.mark.parametrize("command", [("plan",), ("run", "--emulate", "--yes")], ids=["plan", "run"])
@pytest.mark.parametrize("job", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_every_command_tells_what_validate_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], job: str
) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(f"flux2batch: 1\n{job}\n", encoding="utf-8")
    codes = [run([*words, str(file), "--format", "json"]) for words in (("validate",), command)]

    expected, told = capsys.readouterr().out.split("\n}\n")[:2]
    assert json.loads(f"{told}}}") == json.loads(f"{expected}}}")
    assert codes[0] == codes[1] != 0


UNUSED = "flux2batch: 1\nprompt: a boat\nvars: {a: 1}\n"


# Red where the end of a command forgets --strict: its warnings were told, and the exit code was 0.
@pytest.mark.parametrize(
    "command", [("validate",), ("plan",), ("run", "--emulate", "--yes")], ids=lambda words: words[0]
)
def test_a_warning_ends_a_strict_command_as_an_error_would(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(UNUSED, encoding="utf-8")

    assert run([*command, str(file), "--strict"]) == 3
    assert "FB308" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_no_plan_is_made_of_a_part(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("flux2batch: 1\nprompt: a boat\nbanana: 1\n", encoding="utf-8")
    job, _ = load_sound_part(file)

    assert job is not None
    with pytest.raises(InvalidInput):
        plan_job(job, configuration=load_configuration(environ={}))


def test_an_axis_near_a_parameter_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(f"flux2batch: 1\n{FLEX}prompt: a boat\nsweep: {{guidence: [2, 3]}}\n", encoding="utf-8")

    run(["validate", str(file), "--format", "json"])

    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["code"] == "FB308"
    assert problem["help"].startswith("did you mean 'guidance'?")


def test_a_job_without_axes_has_no_sweep_item(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("flux2batch: 1\nprompt: a boat\nreferences: {a: /x.png}\n", encoding="utf-8")

    run(["validate", str(file), "--format", "json"])

    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["code"] == "FB702"
    assert problem["notes"] == []
