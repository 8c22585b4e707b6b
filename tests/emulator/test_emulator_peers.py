"""Clients that we did not write work against the emulator without knowing it.

Each is tested where its package is installed: `fal_client` and `opentryon` (without its dependencies) for Python,
and for JavaScript a folder named by JS_CLIENTS_FOR_TESTS that has `ai`, `@ai-sdk/black-forest-labs` 1 and
`@fal-ai/client`.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

AI_SDK = """
import {createBlackForestLabs} from '@ai-sdk/black-forest-labs';
import {experimental_generateImage as generateImage} from 'ai';
const [base, key] = process.argv.slice(2);
const bfl = createBlackForestLabs({apiKey: key, baseURL: base + '/v1', pollIntervalMillis: 50});
const made = await generateImage({model: bfl.image('flux-2-pro'), prompt: 'a fox', seed: 3, aspectRatio: '1:1'});
console.log(made.image.mediaType);
"""
FAL_JS = """
import {createFalClient} from '@fal-ai/client';
const [base, key] = process.argv.slice(2);
const fal = createFalClient({credentials: key, proxyUrl: {url: base + '/proxy', when: 'always'}});
const made = await fal.subscribe('fal-ai/flux-2/flash', {input: {prompt: 'a fox'}});
const now = await fal.run('fal-ai/flux-2', {input: {prompt: 'a fox'}});
const url = await fal.storage.upload(new Blob([new Uint8Array(9)], {type: 'image/png'}));
console.log(made.data.images.length, now.data.images.length, url.startsWith('http'));
"""


# These clients leave their sockets to the garbage collector; it is called while the filter holds.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _swept() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def fal_client(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = pytest.importorskip("fal_client", reason="fal's Python client is not installed")
    monkeypatch.setenv("FAL_KEY", "")
    return module


def test_fals_python_client(visit: Any, fal_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = visit(latency="0.2")
    urls = visitor.emulator.urls
    inner = importlib.import_module("fal_client.client")
    monkeypatch.setattr(inner, "QUEUE_URL_FORMAT", urls["fal"] + "/")
    monkeypatch.setattr(inner, "RUN_URL_FORMAT", urls["fal-run"] + "/")
    monkeypatch.setattr(inner, "REST_URL", urls["fal"])
    monkeypatch.setattr(inner, "CDN_URL", urls["fal-media"])
    monkeypatch.setenv("FAL_KEY", visitor.emulator.fal_key)

    client = fal_client.SyncClient(key=visitor.emulator.fal_key)
    url = client.upload_image(Image.new("RGB", (300, 200), "red"))
    made = client.subscribe("fal-ai/flux-2/edit", arguments={"prompt": "x", "image_urls": [url]}, with_logs=True)

    assert made["images"][0]["width"] == 288
    assert client.run("fal-ai/flux-2-pro", arguments={"prompt": "x"})["images"]
    with pytest.raises(fal_client.FalClientHTTPError, match="less than or equal to 4"):
        client.subscribe("fal-ai/flux-2", arguments={"prompt": "x", "num_images": 9})


def test_the_opentryon_adapters(visit: Any) -> None:
    package = importlib.util.find_spec("tryon")
    if package is None or not package.submodule_search_locations:
        pytest.skip("opentryon is not installed")
    file = Path(package.submodule_search_locations[0]) / "api" / "flux2.py"
    spec = importlib.util.spec_from_file_location("opentryon_flux2", file)
    assert spec is not None
    assert spec.loader is not None
    adapters = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adapters)

    visitor, red = visit(), Image.new("RGB", (300, 200), "red")
    for name in ("Flux2ProAdapter", "Flux2FlexAdapter"):
        adapter = getattr(adapters, name)(api_key=visitor.emulator.bfl_api_key, base_url=visitor.emulator.bfl_base_url)
        assert adapter.generate_text_to_image(prompt="a fox", width=256, height=256)[0].size == (256, 256)
        assert adapter.generate_image_edit(prompt="a fox", input_image=red)[0].size == (288, 192)
        assert adapter.generate_multi_image(prompt="both", images=[red, red])[0].size == (288, 192)


def run_node(tmp_path: Path, script: str, *arguments: str) -> str:
    folder = os.environ.get("JS_CLIENTS_FOR_TESTS")
    if folder is None or shutil.which("node") is None:
        pytest.skip("JS_CLIENTS_FOR_TESTS names no folder with the JavaScript clients")
    (tmp_path / "node_modules").symlink_to(Path(folder) / "node_modules")
    file = tmp_path / "peer.mjs"
    file.write_text(script)
    ran = subprocess.run(["node", file, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_the_ai_sdk_for_javascript(visit: Any, tmp_path: Path) -> None:
    emulator = visit(latency="0.2").emulator

    assert run_node(tmp_path, AI_SDK, emulator.bfl_base_url, emulator.bfl_api_key) == "image/jpeg"


def test_fals_javascript_client(visit: Any, tmp_path: Path) -> None:
    emulator = visit(latency="0.2").emulator

    assert run_node(tmp_path, FAL_JS, emulator.fal_base_url, emulator.fal_key) == "1 1 true"
