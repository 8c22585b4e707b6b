"""How long planning takes, against the floor under any planner, and beside what else expands a sweep.

    python benchmarks/planning.py [--quick] [--rounds N] [--json FILE]

The floor is measured on the same job: a bare Jinja render of the prompt, canonical JSON of the request with its
SHA-256, and writing the line. The path is not rendered for it. Every measurement is a process of its own, so that its
memory is its own; times are processor time without start-up. What the others leave out: dynamicprompts makes prompts
and nothing else; Hydra makes lists of overrides; a dry run of Snakemake also looks for the files on disk. None of them
knows sizes, limits or prices.
"""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import jinja2
from figures import OURS, Figure, parser, tell

from flux2batch.planning.configuration import load_configuration
from flux2batch.planning.plan import plan_job, row_of
from flux2batch.reading.load import load_job

PROMPT = "{{ subject.text }}, {{ light }}"
PATH = "{{ subject.id }}/{{ light }}/g{{ guidance }}-s{{ steps }}-{{ seed }}"
SUBJECTS = [
    {"id": "fox", "text": "a red fox asleep in fresh snow"},
    {"id": "clock", "text": "a brass clock, the word TEMPO on its dial"},
]
LIGHTS = ["overcast light", "low golden sun"]
GUIDANCES = [2.0, 3.0, 4.0, 5.0, 6.0]
STEPS = [10, 20, 30, 40, 50]


HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / ".bench" / "venv" / "bin" / "python"
PEER_SHOTS = 10_000


def main() -> None:
    """Measure and print."""
    options = parser(__doc__, rounds=2).parse_args()
    sizes = (1000, 10_000) if options.quick else (1000, 10_000, 100_000, 1_000_000)
    figures = []
    before = None
    for shots in sizes:
        once = 1 if shots > 100_000 or options.quick else options.rounds
        seen = [_alone(shots) for _ in range(once)]
        whole = [one["planned_s"] + one["written_s"] for one in seen]
        over = [spent / one["floor_s"] for spent, one in zip(whole, seen, strict=True)]
        name = f"planning {shots:,} shots"
        figures += [
            Figure(name=f"{name}, over the floor", unit="×", rounds={OURS: over}, goal=3 if shots >= 100_000 else None),
            Figure(name=f"{name}, shots a second", unit="/s", rounds={OURS: [shots / s for s in whole]}, better="high"),
            Figure(
                name=f"{name}, memory", unit="MB", rounds={OURS: [one["memory_mb"] for one in seen]},
                goal=150 if shots == 1_000_000 else None,
            ),
        ]  # fmt: skip
        if before is not None:
            growth = min(whole) / before
            figures.append(
                Figure(name=f"{name}, time over a tenth of them", unit="×", rounds={OURS: [growth]}, goal=11)
            )
        before = min(whole)
    if PEERS.exists():
        peers = {OURS: [_alone(PEER_SHOTS) for _ in range(1 if options.quick else options.rounds)]}
        rounds = {
            name: [PEER_SHOTS / (one["planned_s"] + one["written_s"]) for one in seen] for name, seen in peers.items()
        }
        for peer in ("dynamicprompts", "hydra", "snakemake"):
            rounds[peer] = [_peer(peer) for _ in rounds[OURS]]
        figures.append(
            Figure(name=f"{PEER_SHOTS:,} shots beside others, shots a second", unit="/s", rounds=rounds, better="high")
        )
    tell(figures, options.json)


def _alone(shots: int) -> dict[str, float]:
    """What a process of its own measures."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", str(shots)], check=True, capture_output=True, text=True
    )  # fmt: skip
    return json.loads(done.stdout)


def _peer(name: str) -> float:
    script = str(HERE / "peers" / f"{name}_sweep.py")
    done = subprocess.run([str(PEERS), script, str(PEER_SHOTS)], check=True, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    if told["made"] != PEER_SHOTS:
        raise SystemExit(f"{name} made {told['made']} of {PEER_SHOTS}")
    return PEER_SHOTS / told["seconds"]


def _one(shots: int) -> dict[str, float]:
    seeds = max(1, shots // 100)
    with tempfile.TemporaryDirectory() as folder:
        planned_s, written_s = _planned(Path(folder), seeds)
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        floor_s = _floor(Path(folder), seeds)
    return {"planned_s": planned_s, "written_s": written_s, "floor_s": floor_s, "memory_mb": memory_mb}


def _planned(folder: Path, seeds: int) -> tuple[float, float]:
    data = {
        "flux2batch": 1,
        "name": "bench",
        "model": "bfl/flux-2-flex",
        "prompt": PROMPT,
        "params": {"size": "1024x1024"},
        "sweep": {
            "subject": SUBJECTS,
            "light": LIGHTS,
            "guidance": GUIDANCES,
            "steps": STEPS,
            "seed": {"range": f"1..{seeds}"},
        },
        "output": {"path": PATH},
    }
    file = folder / "job.yaml"
    file.write_text(json.dumps(data), encoding="utf-8")
    began = time.process_time()
    job, problems = load_job(file)
    if job is None:
        raise SystemExit("\n".join(problem.headline for problem in problems))
    plan = plan_job(job, configuration=load_configuration(environ={}, max_shots=seeds * 100))
    planned = time.process_time()
    with (folder / "plan.jsonl").open("w", encoding="utf-8") as stream:
        for row in map(row_of, plan):
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return planned - began, time.process_time() - planned


def _floor(folder: Path, seeds: int) -> float:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    prompt = environment.from_string(PROMPT)
    encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
    began = time.process_time()
    with (folder / "floor.jsonl").open("w", encoding="utf-8") as stream:
        points = product(SUBJECTS, LIGHTS, GUIDANCES, STEPS, range(1, seeds + 1))
        for subject, light, guidance, steps, seed in points:
            scope = {"subject": subject, "light": light, "guidance": guidance, "steps": steps, "seed": seed}
            request = {
                "model": "flux-2-flex",
                "endpoint": "/v1/flux-2-flex",
                "prompt": prompt.render(scope),
                "params": {
                    "width": 1024,
                    "height": 1024,
                    "seed": seed,
                    "guidance": guidance,
                    "steps": steps,
                    "upsampling": False,
                    "num_images": 1,
                    "safety_tolerance": 2,
                    "output_format": "png",
                },
            }
            text = encode(request)
            stream.write(f"{hashlib.sha256(text.encode()).hexdigest()} {text}\n")
    return time.process_time() - began


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(_one(int(sys.argv[2]))))
    else:
        main()
