"""One client on one service: both started afresh, and what it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]
_PEERS = _HERE.parent / "peers"
_PEERS_PYTHON = _ROOT / ".peers" / "venv" / "bin" / "python"
SIZE = 512
"""Pixels a side, the fewest that both services draw: it is the client that is to be measured, and not its decoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a client is to do."""

    base: str
    protocol: str
    shots: int
    slots: int
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """How one is started, and whether it is installed."""

    command: Callable[[Wanted], list[str]]
    is_there: Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the service saw of a client, and what the system says that it took."""

    makespan_s: float
    whole_s: float  # from the start of its process to the end
    cpu_s: float
    memory_mb: float
    polls: int
    most_polls_in_a_second: int
    most_at_once: int
    service_cpu_s: float


def _ours(program: list[str]) -> Callable[[Wanted], list[str]]:
    def command(wanted: Wanted) -> list[str]:
        job = wanted.folder / "job.yaml"
        job.write_text(
            "flux2batch: 1\n"
            f"model: {'bfl/flux-2-pro' if wanted.protocol == 'bfl' else 'fal/flux-2'}\n"
            "prompt: a paper boat\n"
            f"params: {{size: {SIZE}x{SIZE}}}\n"
            f"sweep: {{seed: 1..{wanted.shots}}}\n"
            f"run: {{concurrency: {wanted.slots}, order: written}}\n",
            encoding="utf-8",
        )
        config = wanted.folder / "config.toml"
        config.write_text(
            f'[service.{wanted.protocol}]\nbase_url = "{wanted.base}"\nconcurrency = {wanted.slots}\n',
            encoding="utf-8",
        )
        flags = ["--config", str(config), "--max-shots", str(wanted.shots), "--yes", "-q"]
        return [*program, "run", str(job), "--out", str(wanted.folder / "run"), *flags]

    return command


def _peer(script: str) -> Client:
    def command(wanted: Wanted) -> list[str]:
        pictures = wanted.folder / "pictures"
        pictures.mkdir()
        told = (wanted.protocol, wanted.base, wanted.shots, wanted.slots, SIZE, pictures)
        return [str(_PEERS_PYTHON), str(_PEERS / script), *(str(one) for one in told)]

    return Client(command=command, is_there=_PEERS_PYTHON.exists)


def _always() -> bool:
    return True


CLIENTS = {
    "flux2batch": Client(command=_ours([sys.executable, "-m", "flux2batch"]), is_there=_always),
    "flux2batch, no journal": Client(command=_ours([sys.executable, str(_HERE / "forgetful.py")]), is_there=_always),
    "flux2batch, no sheet": Client(command=_ours([sys.executable, str(_HERE / "sheetless.py")]), is_there=_always),
    "requests": _peer("requests_threads.py"),
    "httpx": _peer("httpx_loop.py"),
    "fal-client": _peer("fal_client_loop.py"),
    "OpenTryOn": _peer("opentryon_threads.py"),
}


def measure(client: Client, *, protocol: str, slots: int, shots: int, median_s: float, seed: int) -> Seen:
    """Start a service, let the client make all pictures, and ask both what it took."""
    service = [sys.executable, str(_HERE / "service.py"), str(median_s), str(shots), str(seed), str(SIZE)]
    with (
        tempfile.TemporaryDirectory(prefix="flux2batch-bench-") as folder,
        subprocess.Popen(service, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as serving,
    ):
        assert serving.stdin is not None
        assert serving.stdout is not None
        base = serving.stdout.readline().strip()
        try:
            wanted = Wanted(base=base, protocol=protocol, shots=shots, slots=slots, folder=Path(folder))
            whole_s, used = _run(client.command(wanted), Path(folder))
            with urllib.request.urlopen(f"{base}/seen") as answer:
                seen = json.load(answer)
        finally:
            serving.stdin.close()
    if seen["downloads"] < shots or seen["beyond_the_sample"]:
        raise SystemExit(f"{seen['downloads']:,} of {shots:,} pictures were fetched: {seen}")
    return Seen(
        makespan_s=seen["makespan_s"],
        whole_s=whole_s,
        cpu_s=used.ru_utime + used.ru_stime,
        memory_mb=used.ru_maxrss / 1024,
        polls=seen["polls"],
        most_polls_in_a_second=seen["most_polls_in_a_second"],
        most_at_once=seen["most_at_once"],
        service_cpu_s=seen["cpu_s"],
    )


def _run(command: list[str], folder: Path) -> tuple[float, os.struct_rusage]:
    """The seconds it took, and what the system counted for it and its children."""
    quiet = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ = {**quiet, "BFL_API_KEY": "bench", "FAL_KEY": "bench:bench", "XDG_STATE_HOME": str(folder / "state")}
    with (folder / "said.txt").open("w+") as said:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        whole_s = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)}: {process.returncode}\n{said.read()[-2000:]}")
    return whole_s, used
