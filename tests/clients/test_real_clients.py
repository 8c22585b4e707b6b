"""Clients that others wrote work against `flux2batch emulate` without knowing it.

They are installed by `make peers` into .peers/, apart from everything else. Where they are not installed these tests
are skipped, except in CI.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from needing import needs
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
PEERS = ROOT / ".peers"
PYTHON = PEERS / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    " -keyout key.pem -out cert.pem"
)

Emulated = dict[str, str]


@contextmanager
def emulating(*flags: str) -> Iterator[Emulated]:
    """`flux2batch emulate` in a process of its own, as in another terminal."""
    command = [sys.executable, "-m", "flux2batch", "emulate", "--json", "--latency", "0.1", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.communicate(timeout=20)


def tasks(emulated: Emulated) -> list[dict[str, Any]]:
    """The models that were asked for and what was wished, from the emulator's books."""
    with urllib.request.urlopen(f"{emulated['bfl_base_url']}/_emulator/tasks") as answer:
        booked: list[dict[str, Any]] = json.load(answer)
    return booked


def environment(emulated: Emulated, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    told = {name.upper(): value for name, value in emulated.items() if isinstance(value, str)}
    return {**kept, **told, **more}


def said_by(command: list[str], env: dict[str, str], cwd: Path) -> Any:
    """The last line that the script prints."""
    ran = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout.strip().splitlines()[-1])


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., Any]:
    """Runs a script with the Python clients."""
    needs(PYTHON.exists(), "the Python clients are not installed")
    return lambda name, env, *args: said_by([str(PYTHON), str(SCRIPTS / name), *args], env, tmp_path)


@pytest.fixture
def node(tmp_path: Path) -> Callable[..., Any]:
    """Runs a script with the JavaScript clients, which Node looks for beside the script."""
    program = shutil.which("node")
    needs(program is not None and (PEERS / "node_modules").is_dir(), "Node or its clients are not installed")

    def run(name: str, env: dict[str, str]) -> Any:
        beside = tmp_path / name
        shutil.copy(SCRIPTS / name, beside)
        (tmp_path / "node_modules").symlink_to(PEERS / "node_modules")
        return said_by([str(program), str(beside)], env, tmp_path)

    return run


@pytest.fixture
def picture(tmp_path: Path) -> str:
    Image.new("RGB", (96, 64), "teal").save(tmp_path / "a.png")
    return str(tmp_path / "a.png")


def test_the_adapters_of_opentryon_make_edit_and_compose(python: Callable[..., Any], picture: str):
    with emulating() as emulated:
        said = python("opentryon_adapters.py", environment(emulated), picture, "https://example.com/a.png")
        booked = tasks(emulated)

    assert said["sizes"] == [[512, 512]] * 4
    assert [task["model"] for task in booked] == ["flux-2-pro"] * 3 + ["flux-2-flex"]
    assert [len(task["wish"]["references"]) for task in booked] == [0, 1, 4, 0]
    assert booked[3]["wish"]["guidance"] == 7.5


def test_the_python_client_of_fal_works_over_tls(python: Callable[..., Any], tmp_path: Path):
    needs(shutil.which("openssl") is not None, "openssl is not installed")
    subprocess.run(CERTIFICATE.split(), cwd=tmp_path, capture_output=True, check=True)
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    with emulating("--one-port", "--tls", certificate, key) as emulated:
        host = emulated["fal_base_url"].removeprefix("https://")
        # Its only door to another host: names without a scheme, pasted behind https://.
        hosts = {"FAL_QUEUE_RUN_HOST": host, "FAL_RUN_HOST": f"{host}/run"}
        said = python("fal_python.py", environment(emulated, **hosts, SSL_CERT_FILE=certificate))

    assert said == {"images": [2, 1, 1], "seed": 7, "last": "Completed", "refused": 422}


def test_the_python_client_of_fal_works_over_plain_http(python: Callable[..., Any], picture: str):
    with emulating("--one-port") as emulated:
        said = python("fal_python_patched.py", environment(emulated), picture)
        booked = tasks(emulated)

    assert said == {"edited": 1, "ran": 1, "at": True}
    assert [len(task["wish"]["references"]) for task in booked] == [1, 0]


def test_the_ai_sdk_makes_pictures(node: Callable[..., Any]):
    with emulating() as emulated:
        said = node("ai_sdk.mjs", environment(emulated))
        booked = tasks(emulated)

    assert [task["model"] for task in booked] == ["flux-2-pro", "flux-2-flex"]
    assert said["kinds"][1] == "89504e47"
    assert said["refused"] == 422


def test_the_javascript_client_of_fal_works_through_its_proxy(node: Callable[..., Any]):
    with emulating() as emulated:
        said = node("fal_js.mjs", environment(emulated))
        booked = tasks(emulated)

    assert said == {"images": [2, 2, 2], "seed": 7, "last": "COMPLETED", "refused": 422}
    assert [task["model"] for task in booked][:3] == ["fal-ai/flux-2", "fal-ai/flux-2/flash", "fal-ai/flux-2/turbo"]
