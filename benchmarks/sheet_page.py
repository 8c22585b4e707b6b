"""How fast the sheet's page is in headless Chromium: first pictures, scrolling, memory, size of the page.

Method: pages of 1,000 and 10,000 pictures with thumbnails beside them are opened from disk, each in a fresh browser.
"ready" is when the grid is drawn, "pictures" when every thumbnail in the window is decoded, both from the start of
the navigation; the long tasks are those that Chromium reports (more than 50 ms on the main thread) while the wheel
goes from the first row to the last in 200 steps and back at once; elements are counted and the heap is measured after
a collection.

    python benchmarks/sheet_page.py [--quick] [--rounds N] [--json FILE]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from chromium import chromium
from figures import OURS, Figure, parser, tell
from make_sheet import many

# What is told of a visit: its name, unit, and what is wanted of a sheet of 1,000 and of 10,000 pictures.
TOLD = {
    "ready_ms": ("grid drawn", "ms", None, None),
    "pictures_ms": ("first useful paint: thumbnails in sight", "ms", 1000, 2000),
    "longest_task_opening_ms": ("longest task while opening", "ms", None, None),
    "longest_task_scrolling_ms": ("longest task while scrolling", "ms", None, 200),
    "slowest_frame_ms": ("slowest frame while scrolling", "ms", None, None),
    "elements": ("elements", "", None, None),
    "heap_mb": ("heap", "MB", None, None),
}

WATCH = """
window.long = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) => window.long.push(entry.duration)))
  .observe({ type: "longtask", buffered: true });
"""
DECODED = """() => document.documentElement.dataset.ready && document.querySelectorAll(".cell img").length
  && [...document.querySelectorAll(".cell img")].every((image) => image.complete && image.naturalWidth)"""


def measure(playwright: Any, page_file: Path) -> dict[str, float]:
    """One visit in a browser of its own."""
    browser = playwright.chromium.launch(
        executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--js-flags=--expose-gc"]
    )
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script(WATCH)
    page.add_init_script(
        """new MutationObserver((_, self) => { if (document.documentElement?.dataset.ready) {
        window.ready = performance.now(); self.disconnect(); } })
        .observe(document, { attributes: true, subtree: true, childList: true });"""
    )
    page.goto(page_file.as_uri(), wait_until="commit")
    page.wait_for_function(DECODED, polling="raf")
    pictures = page.evaluate("() => performance.now()")
    opening = page.evaluate("() => Math.max(0, ...window.long)")
    page.evaluate("() => { window.long = []; }")
    steps = page.evaluate(
        """async () => {
        const stage = document.getElementById("stage");
        const frame = () => new Promise((next) => requestAnimationFrame(next));
        let slowest = 0;
        for (let i = 0; i <= 200; i += 1) {
          const before = performance.now();
          stage.scrollTo((stage.scrollWidth * i) / 400, (stage.scrollHeight * i) / 200);
          await frame();
          slowest = Math.max(slowest, performance.now() - before);
        }
        stage.scrollTo(0, 0);
        await frame();
        await new Promise((next) => setTimeout(next, 300));
        return slowest;
        }"""
    )
    found = {
        "ready_ms": page.evaluate("() => window.ready"),
        "pictures_ms": pictures,
        "longest_task_opening_ms": opening,
        "longest_task_scrolling_ms": page.evaluate("() => Math.max(0, ...window.long)"),
        "slowest_frame_ms": steps,
        "elements": page.evaluate("() => document.querySelectorAll('*').length"),
        "heap_mb": page.evaluate("() => { window.gc(); return performance.memory.usedJSHeapSize / 1e6; }"),
    }
    browser.close()
    return found


def main() -> None:
    """Measure and print."""
    from playwright.sync_api import sync_playwright

    options = parser(__doc__, rounds=3).parse_args()
    if chromium() is None:
        print("no Chromium is here: make browser installs one")
        return
    figures = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for count in (1000, 10_000):
            page_file = many(count).write(Path(folder) / str(count), originals=False, faces=48)
            rounds = [measure(playwright, page_file) for _ in range(1 if options.quick else options.rounds)]
            name, megabytes = f"sheet of {count:,}", page_file.stat().st_size / 1e6
            figures.append(Figure(name=f"{name}, page and data", unit="MB", rounds={OURS: [megabytes]}, goal=4))
            for key, (what, unit, small, large) in TOLD.items():
                goal = small if count == 1000 else large
                seen = [one[key] for one in rounds]
                figures.append(Figure(name=f"{name}, {what}", unit=unit, rounds={OURS: seen}, goal=goal))
    tell(figures, options.json)


if __name__ == "__main__":
    main()
