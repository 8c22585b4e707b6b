"""What each hostile template of the tests costs: milliseconds and megabytes. The aim is 100 ms and 20 MB for each.

    python benchmarks/template_attacks.py

Every payload runs in a process of its own, so that its memory is its own too; the clock starts after importing.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "security"))

from template_payloads import FILES, HEAVY, NOT_ALLOWED, PROBES, folder_of, scope

from flux2batch.planning.templating import TemplateFault, compile_template


def main() -> None:
    """Print one line a payload, and the worst."""
    compile_template("{{ warm }}", folder=None, kind="text")
    texts = {**PROBES, **NOT_ALLOWED, **HEAVY}
    cases = [(name, text, {}) for name, text in texts.items()]
    cases += [(name, files["main"], files) for name, files in FILES.items()]
    worst_ms = worst_mb = 0.0
    for name, text, files in cases:
        ms, mb, answer = _in_a_process(text, files)
        worst_ms, worst_mb = max(worst_ms, ms), max(worst_mb, mb)
        print(f"{ms:8.1f} ms {mb:6.1f} MB  {answer:30}  {name}")
    print(f"\nworst: {worst_ms:.1f} ms, {worst_mb:.1f} MB over {len(cases)} payloads")


def _in_a_process(text: str, files: dict[str, str]) -> tuple[float, float, str]:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(theirs, text, files))
    process.start()
    answer: tuple[float, float, str] = ours.recv()
    process.join()
    return answer


def _measure(pipe, text: str, files: dict[str, str]) -> None:
    values = scope()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    try:
        template = compile_template(text, folder=folder_of(files), kind="text")
        answer = f"{len(template.render(values)):,} characters"
    except TemplateFault as fault:
        answer = f"{fault.code} {fault.message}"[:30]
    took = time.perf_counter() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    pipe.send((took * 1000, grown / 1024, answer))


if __name__ == "__main__":
    main()
