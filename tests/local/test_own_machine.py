"""Local models by the real command and the real libraries, with small weights on the CPU."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest
from own_machine import SWEEP, OwnMachine
from PIL import Image

pytestmark = pytest.mark.local

DEV = """\
flux2batch: 1
name: dev
model: local/flux-2-dev
prompt: "a paper boat"
params: {size: 64x64, steps: 2}
sweep: {guidance: [2.5, 4.0]}
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> OwnMachine:
    """The sweep of 24 shots, run once for all tests that look at it."""
    machine = OwnMachine(tmp_path_factory.mktemp("swept"), weights / "base")
    said = machine.run("--device", "cpu")
    assert "licence of local/flux-2-klein-base-4b: Apache-2.0" in said
    assert "local/flux-2-klein-base-4b on cpu, float32, loaded in" in said
    return machine


def test_a_sweep_has_all_its_pictures_in_the_size_asked_for(swept: OwnMachine) -> None:
    pictures = swept.pictures()

    assert len(pictures) == 24
    assert len(set(pictures.values())) == 24, "each of the 24 points has a picture of its own"
    for path in pictures:
        with Image.open(swept.folder / "run" / path) as picture:
            assert (picture.size, picture.mode) == ((64, 96), "RGB")


def test_sheet_and_ledger_are_as_for_any_provider(swept: OwnMachine) -> None:
    with (swept.folder / "run" / "ledger.csv").open(newline="", encoding="utf-8") as file:
        takes = list(csv.DictReader(file))

    assert (swept.folder / "run" / "index.html").is_file()
    assert {(take["status"], take["provider"], take["charged_usd"], take["charge_source"]) for take in takes} == {
        ("done", "local", "0", "free")
    }
    assert len(takes) == 24


def test_prompts_are_encoded_once_each(swept: OwnMachine) -> None:
    assert Counter(detail["embeddings"] for detail in swept.details()) == {"made": 3, "reused": 21}


def test_a_second_run_has_nothing_to_do_and_loads_nothing(swept: OwnMachine) -> None:
    said = swept.run()

    assert "Nothing to do: 24 of 24 are there" in said
    assert "loaded" not in said


def test_loaded_anew_it_draws_the_same_bytes(swept: OwnMachine) -> None:
    said = swept.run(out="again")

    assert "licence" not in said, "it was shown once"
    assert swept.pictures("again") == swept.pictures()


def test_killed_and_started_again_it_draws_no_finished_picture_twice(
    swept: OwnMachine, tmp_path: Path, weights: Path
) -> None:
    machine = OwnMachine(tmp_path, weights / "base")
    process = machine.start()
    machine.await_facts(process, "Saved", 5)
    process.kill()
    process.communicate()
    saved = machine.count("Saved")

    machine.run()

    drawn = Counter(shot for (shot,) in machine.ask("SELECT shot FROM events WHERE kind = 'Saved'"))
    assert machine.pictures() == swept.pictures()
    assert set(drawn.values()) == {1}
    assert machine.count("Rendered") - 24 <= machine.count("HandedBack") + machine.count("LinkExpired")
    assert saved < 24, "it was killed in the middle"
    assert not machine.count("Unanswered") or machine.count("Resubmitted")


def test_ctrl_c_ends_at_the_next_step_and_the_rest_is_drawn_later(tmp_path: Path, weights: Path) -> None:
    job = SWEEP.replace("steps: 4", "steps: 100").replace("64x96", "256x256").replace("1..4", "[1]")
    machine = OwnMachine(tmp_path, weights / "base", job)
    process = machine.start()
    machine.await_facts(process, "Accepted", 1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)

    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert machine.count("HandedBack") >= 1
    assert machine.count("Rendered") < 6, "what was not begun was not drawn"
    standing = machine.ask("SELECT reason FROM (SELECT json_extract(payload, '$.reason') AS reason, kind FROM events)"
                           " WHERE reason IS NOT NULL")  # fmt: skip
    assert ("stopped before it was drawn",) in standing


def test_distilled_weights_draw_without_guidance(tmp_path: Path, weights: Path) -> None:
    job = "flux2batch: 1\nname: k\nmodel: local/flux-2-klein-4b\nprompt: a boat\nparams: {size: 64x64}\n"
    machine = OwnMachine(tmp_path, weights / "klein", job)

    machine.run()

    assert len(machine.pictures()) == 1


def test_dev_draws_with_its_own_guidance(tmp_path: Path, weights: Path) -> None:
    machine = OwnMachine(tmp_path, weights / "dev", DEV)

    said = machine.run()

    assert len(set(machine.pictures().values())) == 2
    assert "FLUX [dev] Non-Commercial License" in said


def test_the_number_format_can_be_said(tmp_path: Path, weights: Path) -> None:
    job = SWEEP.replace("1..4", "[1]").replace("[1.0, 4.0]", "[4.0]")
    machine = OwnMachine(tmp_path, weights / "base", job)

    assert "on cpu, bfloat16" in machine.run("--dtype", "bfloat16")
    assert {detail["dtype"] for detail in machine.details()} == {"bfloat16"}


def test_a_prompt_that_would_be_cut_is_no_picture_and_the_others_are_drawn(tmp_path: Path, weights: Path) -> None:
    # One byte is one token of these weights, so the plan's estimate lets it pass.
    job = SWEEP.replace("a paper boat", "a paper boat " * 39).replace("1..4", "[1]").replace("[1.0, 4.0]", "[1.0]")
    machine = OwnMachine(tmp_path, weights / "base", job)

    machine.run(expect=1)

    reasons = machine.ask("SELECT json_extract(payload, '$.reason') FROM events WHERE kind = 'Failed'")
    assert len(machine.pictures()) == 2
    assert len(reasons) == 1
    assert "tokens, and the model would pass over all behind the 512th" in reasons[0][0]


def _other_size(folder: Path) -> None:
    config = folder / "transformer" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "joint_attention_dim": 12288}))


def _own_code(folder: Path) -> None:
    index = folder / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "vae": ["my_vae", "Vae"]}))


def _cut_short(folder: Path) -> None:
    file = next((folder / "transformer").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-100])


def _no_weights(folder: Path) -> None:
    next((folder / "vae").glob("*.safetensors")).unlink()


FOLDERS = {
    "of another kind": ("klein", None, "holds a distilled model, and local/flux-2-klein-base-4b is a base model"),
    "of another family": ("dev", None, "holds a Flux2Pipeline, and local/flux-2-klein-base-4b is a Flux2KleinPipeline"),
    "of another size": ("base", _other_size, "it looks like local/flux-2-klein-base-9b"),
    "missing": ("nowhere", None, "there is no folder"),
    "without weights": ("base", _no_weights, "has no weights in the form of safetensors"),
    "cut short": ("base", _cut_short, "is cut short by 100 bytes"),
    "with code of its own": ("base", _own_code, "which is never run"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_a_folder_that_cannot_serve_is_an_error_before_any_work(case: str, tmp_path: Path, weights: Path) -> None:
    source, spoil, says = FOLDERS[case]
    folder = tmp_path / source
    if (weights / source).exists():
        shutil.copytree(weights / source, folder)
    if spoil is not None:
        spoil(folder)
    machine = OwnMachine(tmp_path / "job", folder)

    said = machine.run(expect=2)

    assert "FB024" in said
    assert says in said
    assert machine.count("Intended") == 0


JOBS = {
    "size": ("64x96", "90x72", "FB204", 3),
    "references": ("refs/a.png, refs/b.png", "refs/a.png, refs/b.png, refs/a.png, refs/b.png, refs/a.png", "FB603", 3),
    "guidance": ("[1.0, 4.0]", "[1.0, 40.0]", "FB204", 3),
}


@pytest.mark.parametrize("case", JOBS)
def test_what_the_model_cannot_do_is_an_error_of_the_plan(case: str, tmp_path: Path, weights: Path) -> None:
    old, new, code, exit_code = JOBS[case]
    machine = OwnMachine(tmp_path, weights / "base", SWEEP.replace(old, new))

    assert code in machine.run(expect=exit_code)
    assert machine.count("Intended") == 0


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--device", "cuda:7"), "there is no device 'cuda:7' here"),
        (("--offload", "model"), "spares the memory of a GPU, and cpu is none"),
        (("--device", "cpu", "--quantise", "fp8"), "spares the memory of a GPU, and cpu is none"),
    ],
)
def test_a_device_that_cannot_do_it_is_an_error_before_any_work(
    flags: tuple[str, ...], says: str, tmp_path: Path, weights: Path
) -> None:
    machine = OwnMachine(tmp_path, weights / "base", flags=flags)

    assert says in machine.run(expect=2)
    assert machine.count("Intended") == 0
