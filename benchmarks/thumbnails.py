"""Measure thumbnails: pictures a second of 1 MP and 4 MP on two cores, beside ImageMagick's montage and libvips.

    python benchmarks/thumbnails.py [--pictures 40] [--distinct 12] [--quick] [--rounds N] [--json FILE]

Each tool gets the same files in the same round and makes thumbnails of 256 pixels: ours in two threads, montage in
batches of 16 and with the hint of size that its documents advise for JPEG, vipsthumbnail as two processes with half of
the files each. "both sizes" is what a sheet needs: 256 and 640 from one reading of the file.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from figures import OURS, Figure, keep, parser, tell
from PIL import Image, ImageDraw, ImageFilter

from flux2batch.pictures.checking import Flaw
from flux2batch.pictures.thumbnails import LARGE, SMALL, thumbnails

CORES = 2
KINDS = ((1024, "png"), (2048, "png"), (1024, "jpg"), (2048, "jpg"))
BATCH = 16
"""Of montage: it holds all its pictures at once, and its usual limits end at some forty of 4 MP."""


def picture(side: int, seed: int) -> Image.Image:
    """Something that compresses about as a photograph does: soft colours, hard edges and a fine grain."""
    dice = random.Random(seed)
    small = Image.frombytes("RGB", (12, 12), dice.randbytes(432))
    image = small.resize((side, side), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, r = dice.randrange(side), dice.randrange(side), dice.randrange(side // 60, side // 8)
        pen.ellipse((x - r, y - r, x + r, y + r), fill=tuple(dice.randbytes(3)))
    grain = Image.effect_noise((side, side), 40).filter(ImageFilter.GaussianBlur(0.8)).convert("RGB")
    return Image.blend(image, grain, 0.2)


def files(folder: Path, *, side: int, extension: str, pictures: int, distinct: int) -> list[Path]:
    folder.mkdir()
    made: list[Path] = []
    for number in range(pictures):
        path = folder / f"{number:04}.{extension}"
        if number < distinct:
            image = picture(side, number)
            image.save(path, quality=92) if extension == "jpg" else image.save(path, compress_level=6)
        else:
            os.link(made[number % distinct], path)
        made.append(path)
    return made


def ours(sources: Sequence[Path], target: Path, sizes: Sequence[int]) -> None:
    def make(source: Path) -> None:
        seen = thumbnails(source, {size: target / f"{source.stem}-{size}.jpg" for size in sizes})
        if isinstance(seen, Flaw):
            raise SystemExit(f"{source}: {seen.reason}")

    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(make, sources))


def montage(sources: Sequence[Path], target: Path, *, hinted: bool) -> None:
    program = shutil.which("montage") or ""
    hint = ["-define", f"jpeg:size={2 * SMALL}x{2 * SMALL}"] if hinted else []
    layout = ["-thumbnail", f"{SMALL}x{SMALL}", "-geometry", "+2+2", "-tile", "4x"]
    for first in range(0, len(sources), BATCH):
        batch = map(str, sources[first : first + BATCH])
        subprocess.run([program, *hint, *batch, *layout, target / f"{first}.jpg"], check=True)


def vips(sources: Sequence[Path], target: Path) -> None:
    program = shutil.which("vipsthumbnail") or ""
    halves = [sources[part::CORES] for part in range(CORES)]
    commands = [[program, *map(str, half), "--size", str(SMALL), "-o", f"{target}/%s.jpg"] for half in halves]
    running = [
        subprocess.Popen(command, env={**os.environ, "VIPS_CONCURRENCY": "1"}) for command in commands if command[1:]
    ]
    if any(process.wait() for process in running):
        raise SystemExit("vipsthumbnail failed")


def measured(work: Callable[[Path], None], folder: Path, pictures: int) -> tuple[float, float]:
    """Pictures a second by the clock, and milliseconds of processor time for each, which a busy machine blurs less."""
    with tempfile.TemporaryDirectory(dir=folder) as target:
        began, spent = time.perf_counter(), cpu_s()
        work(Path(target))
        return pictures / (time.perf_counter() - began), 1000 * (cpu_s() - spent) / pictures


def cpu_s() -> float:
    """What this process and its children have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Measure and print."""
    options = parser(__doc__, rounds=1)
    options.add_argument("--pictures", type=int, default=40)
    options.add_argument("--distinct", type=int, default=12)
    given = options.parse_args()
    count = min(given.pictures, 16) if given.quick else given.pictures
    figures = []
    with tempfile.TemporaryDirectory() as name:
        for side, extension in KINDS[:1] if given.quick else KINDS:
            folder = Path(name) / f"{side}{extension}"
            sources = files(folder, side=side, extension=extension, pictures=count, distinct=min(given.distinct, count))
            label = f"{'1' if side == 1024 else '4'} MP {extension.upper()}"
            compared = _compared(label, sources, Path(name), rounds=given.rounds)
            tell(compared, None)
            figures += compared
            shutil.rmtree(folder)
    keep(figures, given.json)


def _compared(label: str, sources: Sequence[Path], folder: Path, *, rounds: int) -> list[Figure]:
    works: dict[str, Callable[[Path], None]] = {
        OURS: lambda target: ours(sources, target, (SMALL,)),
        f"{OURS}, both sizes": lambda target: ours(sources, target, (SMALL, LARGE)),
    }
    if shutil.which("montage"):
        works["montage"] = lambda target: montage(sources, target, hinted=sources[0].suffix == ".jpg")
    if shutil.which("vipsthumbnail"):
        works["vipsthumbnail"] = lambda target: vips(sources, target)
    rates: dict[str, list[float]] = {name: [] for name in works}
    costs: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            rate, cost = measured(work, folder, len(sources))
            rates[name].append(rate)
            costs[name].append(cost)
    method = f"{len(sources):,} files of {sources[0].stat().st_size / 1e6:.1f} MB, two cores"
    title = f"thumbnails of {label}"
    return [
        Figure(name=f"{title}, pictures a second", unit="/s", rounds=rates, better="high", method=method),
        Figure(name=f"{title}, processor time for each", unit="ms", rounds=costs, method=method),
        *(
            Figure(
                name=f"{title}, as often as {peer}", unit="×", better="high", goal=goal, method=method,
                rounds={OURS: [mine / other for mine, other in zip(rates[OURS], rates[peer], strict=True)]},
            )
            for peer, goal in (("montage", 3), ("vipsthumbnail", 0.8))
            if peer in rates
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
