"""Measure thumbnails: pictures a second of 1 MP and 4 MP on two cores, beside ImageMagick's montage and libvips.

python benchmarks/thumbnails.py [--pictures 60] [--distinct 12]

Each tool gets the same files in the same run and makes thumbnails of 256 pixels: ours in two threads, montage in
batches of 16, vipsthumbnail as two processes with half of the files each. `ours, both` makes the sheet's two sizes.
"""

from __future__ import annotations

import argparse
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

from PIL import Image, ImageDraw, ImageFilter

from flux2batch.pictures.checking import Flaw
from flux2batch.pictures.thumbnails import LARGE, SMALL, thumbnails

CORES = 2
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


def measured(work: Callable[[Path], None], folder: Path, pictures: int) -> str:
    """Pictures a second by the clock, and what each cost in processor time, which a busy machine blurs less."""
    target = Path(tempfile.mkdtemp(dir=folder))
    began, spent = time.perf_counter(), cpu_s()
    work(target)
    return f"{pictures / (time.perf_counter() - began):.1f}/s {1000 * (cpu_s() - spent) / pictures:4.0f} ms"


def cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--distinct", type=int, default=12)
    given = parser.parse_args()

    print(f"{given.pictures} pictures, {os.cpu_count()} cores, thumbnails of {SMALL} pixels; both: {SMALL} and {LARGE}")
    print("pictures a second, and processor time for each")
    columns = ("ours", "ours, both", "montage", "montage, hinted", "vipsthumbnail")
    print(f"{'':12}" + "".join(f"{column:>18}" for column in columns))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side, extension in ((1024, "png"), (2048, "png"), (1024, "jpg"), (2048, "jpg")):
            sources = files(
                folder / f"{side}{extension}",
                side=side,
                extension=extension,
                pictures=given.pictures,
                distinct=min(given.distinct, given.pictures),
            )
            works: tuple[tuple[str | None, Callable[[Path], None]], ...] = (
                (None, lambda target, s=sources: ours(s, target, (SMALL,))),
                (None, lambda target, s=sources: ours(s, target, (SMALL, LARGE))),
                ("montage", lambda target, s=sources: montage(s, target, hinted=False)),
                ("montage", lambda target, s=sources: montage(s, target, hinted=True)),
                ("vipsthumbnail", lambda target, s=sources: vips(s, target)),
            )
            figures = [
                measured(work, folder, given.pictures) if program is None or shutil.which(program) else "not installed"
                for program, work in works
            ]
            weight = sources[0].stat().st_size / 1e6
            label = f"{'1' if side == 1024 else '4'} MP {extension}"
            print(f"{label:12}" + "".join(f"{figure:>18}" for figure in figures) + f"   ({weight:.1f} MB each)")


if __name__ == "__main__":
    main()
