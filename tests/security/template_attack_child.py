"""Runs hostile templates in a process that may not grow by 300 MB nor take 5 s for one; prints how each ended."""

from __future__ import annotations

import json
import resource
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from template_payloads import FILES, HEAVY, NOT_ALLOWED, PROBES, folder_of, scope

from flux2batch.planning.templating import TemplateFault, compile_template

SECONDS = 5
MEGABYTES = 300


def main() -> None:
    """One JSON object: each payload's name with its code, or the length of its text."""
    values = scope()
    compile_template("{{ warm }}", folder=None, kind="text")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEGABYTES * 2**20, resource.RLIM_INFINITY))
    cases = {name: (text, {}) for name, text in {**PROBES, **NOT_ALLOWED, **HEAVY}.items()}
    cases |= {name: (files["main"], files) for name, files in FILES.items()}
    endings: dict[str, object] = {}
    for name, (text, files) in cases.items():
        signal.alarm(SECONDS)  # its signal ends the process: what was printed by then names the culprit
        print(name, file=sys.stderr)
        endings[name] = _ending(text, files, values)
        signal.alarm(0)
    print(json.dumps(endings))


def _ending(text: str, files: dict[str, str], values: dict[str, object]) -> object:
    try:
        return len(compile_template(text, folder=folder_of(files), kind="text").render(values))
    except TemplateFault as fault:
        return fault.code if 0 <= fault.start < fault.end <= len(text) else f"{fault!r} is not inside its text"


if __name__ == "__main__":
    main()
