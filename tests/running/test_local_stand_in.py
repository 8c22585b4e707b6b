"""Local models without their libraries: what is said of what is missing, and runs with a painter in their place."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from platformdirs import user_state_path
from trial import Trial, until

import flux2batch
from flux2batch.engine.events import Intended, SendBegan
from flux2batch.engine.records import decode
from flux2batch.engine.run_directory import Memory, Purpose, drive

BOATS = """\
flux2batch: 1
name: boats
model: local/flux-2-klein-4b
prompt: "a paper boat on a {{ colour }} sea"
params: {size: 256x256}
sweep: {colour: [blue, red], seed: 1..2}
"""


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path, BOATS)


def run_really(trial: Trial, *arguments: str, expect: int) -> str:
    """Run without the emulator; what was said."""
    command = [sys.executable, "-m", "flux2batch", "run", str(trial.file), *arguments]
    ran = subprocess.run(command, cwd=trial.folder, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == expect, ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stderr


def looks_whole(folder: Path, **changed: object) -> Path:
    """A folder of weights with a table of contents in each file, and no tensor behind it."""
    index = {
        "_class_name": "Flux2KleinPipeline",
        "is_distilled": True,
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "Qwen3ForCausalLM"],
        "tokenizer": ["transformers", "Qwen2Tokenizer"],
        "transformer": ["diffusers", "Flux2Transformer2DModel"],
        "vae": ["diffusers", "AutoencoderKLFlux2"],
        **changed,
    }
    for part in ("scheduler", "tokenizer", "transformer", "text_encoder", "vae"):
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text(json.dumps({"joint_attention_dim": 7680}))
        (folder / part / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


# Before any work.


@pytest.mark.skipif(find_spec("torch") is not None, reason="here the libraries are installed: nothing is missing")
def test_without_the_extra_the_message_says_what_to_install(trial: Trial, tmp_path: Path) -> None:
    said = run_really(trial, "--local-weights", str(looks_whole(tmp_path / "klein")), expect=7)

    assert "FB026" in said
    assert "needs torch, diffusers, transformers and accelerate, which are not installed here" in said
    assert "pip install 'flux2batch[local]'" in said


def test_a_model_whose_weights_nobody_named_is_an_error_that_says_how(trial: Trial) -> None:
    said = run_really(trial, expect=2)

    assert "no folder of weights is named for local/flux-2-klein-4b" in said
    assert "--local-weights DIR" in said


def test_the_configuration_names_weights_for_each_model(trial: Trial, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[service.local]\nweights = {"local/flux-2-klein-4b" = "nowhere"}\n', encoding="utf-8")

    assert f"there is no folder {tmp_path / 'nowhere'}" in run_really(trial, "--config", str(config), expect=2)


SPOILT = {
    "pickles": ({"transformer/model.safetensors": None}, "no weights in the form of safetensors"),
    "no table of contents": ({"vae/model.safetensors": b"\xff" * 64}, "is no safetensors file"),
    "cut short": (
        {"vae/model.safetensors": struct.pack("<Q", 37) + b'{"a": {"data_offsets": [0, 1000000]}}'},
        "is cut short by 1,000,000 bytes",
    ),
    "a shard is missing": (
        {"vae/model.safetensors.index.json": b'{"weight_map": {"a": "model-2.safetensors"}}'},
        "lacks 1 of its weights files, model-2.safetensors first",
    ),
    "no config": ({"transformer/config.json": b"["}, "has no config.json that can be read"),
    "no index": ({"model_index.json": b"[]"}, "has no model_index.json that can be read"),
    "another size": (
        {"transformer/config.json": b'{"joint_attention_dim": 12288}'},
        "it looks like local/flux-2-klein-9b",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_folder_that_is_not_whole_is_seen_through_before_anything_is_loaded(
    case: str, trial: Trial, tmp_path: Path
) -> None:
    files, says = SPOILT[case]
    folder = looks_whole(tmp_path / "klein")
    for name, content in files.items():
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)

    said = run_really(trial, "--local-weights", str(folder), expect=2)

    assert says in said


def test_a_reference_that_is_a_url_is_an_error_of_the_plan(trial: Trial) -> None:
    trial.write(BOATS + "references: {there: https://example.com/a.png}\n")

    said = run_really(trial, expect=3)

    assert "is a URL, and the model takes files" in said


# Whole runs.


def test_a_local_model_is_emulated_without_weights_and_without_a_key(trial: Trial) -> None:
    said = trial.run()

    assert "painted by the emulator" in said
    assert len(set(trial.pictures().values())) == 4
    assert "Nothing to do: 4 of 4" in trial.run()


def test_killed_at_any_point_a_free_take_is_made_again_and_never_held(trial: Trial) -> None:
    trial.change("256x256", "1024x1024")
    for kind in ("SendBegan", "Accepted", "Rendered"):
        kill_after_one_more(trial, kind)

    trial.run()

    done = Counter(shot for (shot,) in trial.ask_journal("SELECT shot FROM events WHERE kind = 'Saved'"))
    assert len(trial.pictures()) == 4
    assert set(done.values()) == {1}, "no finished picture was drawn again"


def test_a_shot_whose_process_died_while_it_was_handed_over_is_drawn_and_not_held(trial: Trial) -> None:
    trial.run("--limit", "3")
    die_while_handing_over(trial)

    said = trial.run()

    assert "held" not in said
    assert len(trial.pictures()) == 4
    assert (trial.facts("Unanswered"), trial.facts("Resubmitted")) == (1, 1)


def die_while_handing_over(trial: Trial) -> None:
    """Leave the one shot that is missing as a process leaves it that dies between SendBegan and Accepted."""
    ((payload,),) = trial.ask_journal("SELECT payload FROM events WHERE kind = 'Intended' LIMIT 1")
    begun = {shot for (shot,) in trial.ask_journal("SELECT DISTINCT shot FROM events WHERE shot IS NOT NULL")}
    plan = flux2batch.plan(trial.file)
    (left,) = [shot for shot in plan if shot.id not in begun]
    like = decode("Intended", payload)
    assert isinstance(like, Intended)
    memory = Memory(
        user_state_path("flux2batch", appauthor=False) / "run-directories.db", accept_rollback=False, fork=False
    )
    purpose = Purpose(job_name="boats", job_file=str(trial.file.resolve()), emulated=True)
    now = datetime.now(UTC)
    with drive(trial.root, purpose, now=now, memory=memory) as directory:
        intended = replace(like, prompt=left.prompt, params=dict(left.params), paths=left.paths)
        directory.journal.append([(left.id, intended), (left.id, SendBegan())], at=now)


def kill_after_one_more(trial: Trial, kind: str) -> None:
    """Kill a run as soon as its journal has one fact more of this kind."""
    seen = trial.facts(kind)
    process = trial.start()
    until(lambda: trial.facts(kind) > seen or process.poll() is not None)
    process.kill()
    process.communicate()


def test_ctrl_c_hands_back_what_is_not_drawn_and_the_ledger_says_so(trial: Trial) -> None:
    trial.change("256x256", "2048x2048")
    process = trial.start()
    until(lambda: trial.facts("Accepted") >= 2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said

    handed_back = trial.facts("HandedBack")
    lines = (trial.root / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    statuses = Counter(json.loads(line)["status"] for line in lines)
    trial.run()

    assert handed_back >= 1
    assert statuses["handed-back"] == handed_back
    assert len(trial.pictures()) == 4
