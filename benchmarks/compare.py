"""Run every comparison, one after another, and write RESULTS.md and the plots: what `make bench` does.

    python benchmarks/compare.py [--quick] [--only NAME]… [--out FOLDER] [--keep FILE]

Nothing else should run on the machine meanwhile: a ratio in one run counts, an absolute time is information. With
--keep every round is kept in a file, and the page says which ratios came out as in the run that was kept before.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from again import again
from figures import Figure, keep, read
from plots import draw
from results import Section, page

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One script, what it is called on the page, and which of its figures are drawn."""

    script: str
    title: str
    drawn: tuple[str, ...]
    full: tuple[str, ...] = ()
    quick: tuple[str, ...] = ("--quick",)


WORKS = (
    Work(script="startup", title="Start", drawn=("`validate`",)),
    Work(script="planning", title="Planning", drawn=("10,000 shots beside others",)),
    Work(
        script="engine",
        title="Running",
        drawn=("24 at once: makespan", "256 at once: makespan", "1,000 at once: makespan"),
    ),
    Work(script="resuming", title="Resuming, status and ledger", drawn=()),
    Work(
        script="thumbnails",
        title="Thumbnails",
        drawn=("thumbnails of 1 MP PNG, pictures", "thumbnails of 4 MP PNG, pictures"),
    ),
    Work(script="sheet_page", title="The sheet in a browser", drawn=()),
    Work(script="emulator", title="The emulator", drawn=("emulator, submits", "emulator, polls")),
)


def main() -> int:
    """Run, write, say where."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="two minutes, with less of everything")
    options.add_argument("--only", action="append", default=[], help="one work of them; repeatable")
    options.add_argument("--out", type=Path, default=HERE, help="where RESULTS.md and plots/ are written")
    options.add_argument("--keep", type=Path, help="where every round is kept, and was kept by the run before")
    given = options.parse_args()
    sections, broken = [], 0
    for work in WORKS:
        if given.only and work.script not in given.only:
            continue
        began = time.monotonic()
        print(f"\nbench: {work.script}", flush=True)
        figures = _run(work, quick=given.quick)
        broken += figures is None
        took_s = time.monotonic() - began
        command = f"benchmarks/{work.script}.py " + " ".join(work.quick if given.quick else work.full)
        sections.append(Section(title=work.title, command=command.strip(), took_s=took_s, figures=figures or []))
        for figure in figures or []:
            if figure.name.startswith(work.drawn or ("\0",)) and len(figure.rounds) > 1:
                draw(figure, given.out / "plots")
    results = given.out / "RESULTS.md"
    told = [figure for section in sections for figure in section.figures]
    before = read(given.keep) if given.keep and given.keep.exists() else []
    results.write_text(
        "\n".join([page(sections, quick=given.quick), again(before, told)]).rstrip() + "\n", encoding="utf-8"
    )
    keep(told, given.keep)
    print(f"\nbench: {results}")
    return 1 if broken else 0


def _run(work: Work, *, quick: bool) -> list[Figure] | None:
    """The figures of one script; None where it broke."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "figures.json"
        how = work.quick if quick else work.full
        command = [sys.executable, str(HERE / f"{work.script}.py"), *how, "--json", str(told)]
        ended = subprocess.run(command, check=False)
        if ended.returncode or not told.exists():
            print(f"bench: {work.script} ended with {ended.returncode} and has no figures", file=sys.stderr)
            return None
        return read(told)


if __name__ == "__main__":
    sys.exit(main())
