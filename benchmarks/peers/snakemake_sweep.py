"""A dry run of Snakemake over so many jobs, one file each; the start of Python and of Snakemake is taken off."""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RULES = """
PICTURES = expand(
    "out/{{subject}}-{{light}}-g{{guidance}}-s{{steps}}-{{seed}}.png", subject=["fox", "clock"],
    light=["overcast", "golden"], guidance=[2, 3, 4, 5, 6], steps=[10, 20, 30, 40, 50], seed=range(1, {seeds} + 1),
)
rule all:
    input: PICTURES
rule shot:
    output: "out/{{subject}}-{{light}}-g{{guidance}}-s{{steps}}-{{seed}}.png"
    shell: "true"
"""


def dry_run(seeds: int) -> tuple[int, float]:
    """How many jobs it counted, and how long it took."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Snakefile").write_text(RULES.format(seeds=seeds))
        command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "-c1"]
        began = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        spent = time.perf_counter() - began
    return int(re.findall(r"^shot\s+(\d+)", done.stdout + done.stderr, re.MULTILINE)[-1]), spent


shots = int(sys.argv[1])
_, start = dry_run(1)
made, spent = dry_run(shots // 100)
print(json.dumps({"made": made, "seconds": spent - start}))
