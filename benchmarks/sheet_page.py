"""How fast the sheet's page is in headless Chromium: first pictures, scrolling, memory, size of the page.

Method: pages of 1,000 and 10,000 pictures with thumbnails beside them are opened from disk, each in a fresh browser.
"ready" is when the grid is drawn, "pictures" when every thumbnail in the window is decoded, both from the start of
the navigation; the long tasks are those that Chromium reports (more than 50 ms on the main thread) while the wheel
goes from the first row to the last in 200 steps and back at once; elements are counted and the heap is measured after
a collection. The best and worst of three.

python benchmarks/sheet_page.py
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from chromium import chromium
from make_sheet import many

ROUNDS = 3

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
    """Print one table a size of sheet."""
    from playwright.sync_api import sync_playwright

    if chromium() is None:
        print("no Chromium is here: make browser installs one")
        return
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for count in (1000, 10_000):
            page_file = many(count).write(Path(folder) / str(count), originals=False, faces=48)
            rounds = [measure(playwright, page_file) for _ in range(ROUNDS)]
            print(f"{count} pictures, page of {page_file.stat().st_size / 1e6:.2f} MB, {os.cpu_count()} cores")
            for name in rounds[0]:
                values = [one[name] for one in rounds]
                print(f"  {name:28} {min(values):9.1f} {max(values):9.1f}")


if __name__ == "__main__":
    main()
