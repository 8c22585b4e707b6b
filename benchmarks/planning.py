"""How long planning takes, against the floor under any planner: render a template, hash a request, write a line.

    python benchmarks/planning.py [SHOTS]

The floor is measured in the same run, on the same job: a bare Jinja render of the prompt, canonical JSON of the request
with its SHA-256, and writing the line. The path is not rendered for it. The aim is at most three times the floor, and
at most 150 MB at a million shots.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import jinja2

from flux2batch.commands.plan_shown import as_line
from flux2batch.planning.configuration import load_configuration
from flux2batch.planning.plan import plan_job
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


def main(shots: int) -> None:
    """Measure and print."""
    seeds = max(1, shots // 100)
    with tempfile.TemporaryDirectory() as folder:
        planned, written = _planned(Path(folder), seeds)
        floor = _floor(Path(folder), seeds)
    whole = planned + written
    count = seeds * 100
    print(
        f"{count:,} shots: planned in {planned:.2f} s, written in {written:.2f} s, {whole / count * 1e6:.1f} µs a shot"
    )
    print(f"floor: {floor:.2f} s, {floor / count * 1e6:.1f} µs a shot")
    print(f"{whole / floor:.2f} times the floor (aim: 3)")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at the most (aim: 150 at 1,000,000)")


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
    began = time.perf_counter()
    job, problems = load_job(file)
    if job is None:
        raise SystemExit("\n".join(problem.headline for problem in problems))
    plan = plan_job(job, configuration=load_configuration(environ={}, max_shots=seeds * 100))
    planned = time.perf_counter()
    with (folder / "plan.jsonl").open("w", encoding="utf-8") as stream:
        for row in plan.to_rows():
            stream.write(as_line(row) + "\n")
    return planned - began, time.perf_counter() - planned


def _floor(folder: Path, seeds: int) -> float:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    prompt = environment.from_string(PROMPT)
    encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
    began = time.perf_counter()
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
    return time.perf_counter() - began


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
