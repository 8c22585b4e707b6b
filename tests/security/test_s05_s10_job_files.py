"""S05 to S10: job files that are made to hurt, given to the command itself. tests/reading holds all places."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux2batch.cli import run

HEAD = "flux2batch: 1\nprompt: a boat\n"
_BOMB = "vars:\n  a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  {now}: &{now} [{', '.join([f'*{before}'] * 9)}]\n" for before, now in zip("abcdefgh", "bcdefghi", strict=True)
)

CASES = [
    # row, what, text, code, exit code
    ("S05", "a Python object", "prompt: !!python/object/apply:os.system [touch owned]", "FB111", 3),
    ("S05", "a Python name", "prompt: !!python/name:os.system", "FB111", 3),
    ("S05", "the environment", "prompt: !env BFL_API_KEY", "FB111", 3),
    ("S05", "another file", "prompt: !include /etc/passwd", "FB111", 3),
    ("S05", "a set", f"{HEAD}tags: !!set {{a, b}}", "FB111", 3),
    ("S05", "binary", "prompt: !!binary aGVsbG8=", "FB111", 3),
    ("S06", "an alias bomb", HEAD + _BOMB, "FB105", 3),
    ("S06", "an alias of itself", f"{HEAD}vars: &v {{a: *v}}", "FB110", 3),
    ("S07", "50,000 brackets", f"{HEAD}vars: {{a: {'[' * 50_000}", "FB106", 3),
    ("S07", "5,000 mappings", f"{HEAD}vars: {'{a: ' * 5_000}", "FB106", 3),
    ("S08", "5 MB", HEAD + "# " + "x" * 5_000_000, "FB104", 3),
    ("S08", "5,000 digits", f"{HEAD}params: {{seed: {'9' * 5_000}}}", "FB114", 3),
    ("S08", "no number", f"{HEAD}params: {{guidance: .nan}}", "FB114", 3),
    ("S08", "infinity", f"{HEAD}params: {{guidance: .inf}}", "FB114", 3),
    ("S09", "a key twice", f"{HEAD}model: bfl/flux-2-pro\nmodel: bfl/flux-2-max", "FB113", 3),
    ("S09", "a merge key", f"{HEAD}vars: {{a: &a {{x: 1}}}}\nparams: {{<<: *a}}", "FB110", 3),
    ("S10", "text turned round", "flux2batch: 1\nprompt: a \u202e boat", "FB120", 0),
    ("S10", "a path turned round", f"{HEAD}output: {{path: a\u202eb}}", "FB502", 3),
    ("S10", "a key that looks like another", f"{HEAD}vars: {{na\u200bme: x}}", "FB120", 3),
]


@pytest.mark.parametrize(
    ("text", "code", "exit_code"), [case[2:] for case in CASES], ids=[f"{case[0]} {case[1]}" for case in CASES]
)
def test_s05_to_s10_a_hostile_job_file_is_answered_and_nothing_happens(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    code: str,
    exit_code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BFL_API_KEY", "bfl_c4n4ryc4n4ryc4n4ry")
    Path("job.yaml").write_text(text if text.startswith("flux2batch") else f"flux2batch: 1\n{text}\n", encoding="utf-8")

    ended = run(["plan", "job.yaml"])
    out, err = capsys.readouterr()

    assert ended == exit_code
    assert code in err
    assert "c4n4ry" not in out + err
    assert "root:" not in out + err
    assert "\u202e" not in out + err
    assert [path.name for path in tmp_path.iterdir()] == ["job.yaml"]
