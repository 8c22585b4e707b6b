"""The sheet opens from disk, shows every picture, and keeps to itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from make_sheet import SHEETS, campaign, experiment, many, plain, runs

from flux2batch.pictures.thumbnails import LARGE

UNDECODED = """() => [...document.images].filter((image) => image.currentSrc && image.checkVisibility())
    .filter((image) => !image.complete || image.naturalWidth === 0).map((image) => image.src.slice(0, 200))"""


def wait_for_pictures(page: Any) -> None:
    page.wait_for_function(f"() => ({UNDECODED})().length === 0")


@pytest.mark.parametrize("name", ["experiment", "campaign", "plain", "runs", "earlier"])
def test_every_picture_of_a_sheet_decodes(name: str, open_sheet: Any) -> None:
    page = open_sheet(SHEETS[name](), faces=0 if name == "plain" else 6)

    wait_for_pictures(page)

    assert page.locator("#grid img").count() > 0


def test_scrolling_to_the_end_decodes_what_comes_into_sight(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.locator("#stage").evaluate("(stage) => stage.scrollTo(0, stage.scrollHeight)")
    page.wait_for_timeout(100)  # cells are drawn in a frame after the scroll, and until then none is waited for
    wait_for_pictures(page)

    assert page.locator(".line.is-row").count() < 12 + 1
    assert page.get_by_role("gridcell", name="clock, light low golden sun, guidance 5.0, steps 50").is_visible()


def test_only_the_cells_near_the_window_have_elements(open_sheet: Any) -> None:
    page = open_sheet(many(1000), faces=4, originals=False)

    before = page.locator(".cell").count()
    page.locator("#stage").evaluate("(stage) => stage.scrollTo(0, stage.scrollHeight / 2)")
    page.wait_for_timeout(200)  # cells are drawn in a frame after the scroll; more of them than hoped for must show

    assert before < 400
    assert page.locator(".cell").count() < 600


def test_the_first_view_is_the_one_that_the_job_asks_for(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    assert page.locator(".column .label bdi").all_inner_texts() == ["2.0", "3.0", "4.0", "5.0"]
    assert page.locator(".rowhead bdi").all_inner_texts()[:3] == ["20", "35", "50"]
    assert page.locator(".section").first.inner_text().split("\n")[0].startswith("subject fox")
    assert page.get_by_role("slider", name="seed").get_attribute("aria-valuetext") == "101"


def test_headings_count_their_shots(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    assert page.locator(".column .count").all_inner_texts() == ["36", "36", "36", "24"]
    assert page.locator("#summary").inner_text().startswith("132 shots · 129 pictures · 2 moderated · 1 failed")


def test_a_job_without_axes_is_a_gallery(open_sheet: Any) -> None:
    page = open_sheet(plain())

    assert page.locator(".cell").count() == 12
    assert page.locator("#axes").is_hidden()


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("moderated", "Moderated"),
        ("rejected", "Refused by the service"),
        ("failed", "Failed"),
        ("unknown", "Unknown"),
        ("lost", "Lost"),
        ("stalled", "Stalled"),
        ("planned", "Not made yet"),
        ("in_flight", "On its way"),
        ("missing", "File missing"),
    ],
)
def test_a_cell_without_a_picture_says_why(state: str, says: str, open_sheet: Any) -> None:
    page = open_sheet(plain())

    cell = page.locator(f".gone.is-{state}")

    assert cell.inner_text().split("\n") == [says, f"this is why it is {state}"]


def test_pictures_of_other_shapes_keep_their_shapes(open_sheet: Any) -> None:
    page = open_sheet(campaign())
    wait_for_pictures(page)

    box = (
        page.get_by_role("gridcell", name="product mug-01, locale en, format Banner 1.91:1")
        .locator("img")
        .bounding_box()
    )

    assert box["width"] / box["height"] == pytest.approx(1200 / 628, rel=0.02)


def test_runs_lie_side_by_side(open_sheet: Any) -> None:
    page = open_sheet(runs())

    heads = [page.locator(".head").nth(level).locator(".column bdi").all_inner_texts() for level in (0, 1)]

    assert heads == [["draft", "final"], ["fox", "clock", "fox", "clock"]]


def test_earlier_pictures_stand_beside_what_replaced_them(open_sheet: Any) -> None:
    page = open_sheet(SHEETS["earlier"]())

    assert page.locator(".column bdi").all_inner_texts() == ["now", "earlier"]
    assert page.get_by_role("gridcell").count() == 4


def test_a_single_file_needs_nothing_beside_it(open_page: Any, tmp_path: Path) -> None:
    import base64

    sheet = experiment()
    sheet.write(tmp_path / "made", faces=3, originals=False)
    thumbnails = (tmp_path / "made" / ".sheet").glob("*.jpg")
    sheet.data["inline"] = {
        file.name: f"data:image/jpeg;base64,{base64.b64encode(file.read_bytes()).decode()}" for file in thumbnails
    }
    from flux2batch.reporting.sheet_page import page_of

    alone = tmp_path / "alone" / "sheet.html"
    alone.parent.mkdir()
    alone.write_text(page_of(sheet.data), encoding="utf-8")
    page = open_page(alone)

    page.keyboard.press("Enter")
    page.locator("#grid").focus()
    page.keyboard.press("Enter")
    wait_for_pictures(page)

    assert page.locator("#lightbox .preview").evaluate("(image) => image.naturalWidth") == LARGE


def test_it_works_from_a_web_server_too(context: Any, tmp_path: Path) -> None:
    import functools
    import http.server
    import threading

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    page_file = experiment().write(tmp_path / "sheet", faces=3)
    handler = functools.partial(Quiet, directory=str(page_file.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
        page.wait_for_selector("html[data-ready]")
        wait_for_pictures(page)
        page.close()
        server.shutdown()

    assert said == []


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 3000])
def test_nothing_of_the_page_hangs_over_the_edge(width: int, open_sheet: Any) -> None:
    page = open_sheet(experiment(), width=width, height=900)

    wide = page.evaluate("() => document.documentElement.scrollWidth")
    picks = page.get_by_role("button", name="Picks").bounding_box()

    assert wide <= width
    assert picks["x"] + picks["width"] <= width
