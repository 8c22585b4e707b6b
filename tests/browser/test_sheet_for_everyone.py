"""The sheet for people who see, hear or move differently, on paper, and while a run goes on."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from make_sheet import SHEETS, experiment, hostile, plain
from test_sheet_opens import wait_for_pictures

from flux2batch.reporting.sheet_page import page_of

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Any) -> list[str]:
    """What axe finds, one line each."""
    page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("(tags) => axe.run(document, { runOnly: tags })", STANDARDS)
    return [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for each in found["violations"]
        for node in each["nodes"][:2]
    ]


def nothing(page: Any) -> None:
    del page


def with_panel(page: Any) -> None:
    page.locator("#grid").focus()
    for key in ("p", "4", "ArrowRight", "x", "c", "s"):
        page.keyboard.press(key)


def with_picture(page: Any) -> None:
    page.locator("#grid").focus()
    for key in ("p", "3", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#lightbox[open]")


def with_comparison(page: Any) -> None:
    page.locator("#grid").focus()
    for key in ("c", "ArrowRight", "c", "v"):
        page.keyboard.press(key)
    page.wait_for_selector("#compare[open]")


def with_slider(page: Any) -> None:
    with_comparison(page)
    page.get_by_label("Slider", exact=True).check()


def with_keys(page: Any) -> None:
    page.keyboard.press("?")


def with_view_menu(page: Any) -> None:
    page.locator("#view-button").click()


def with_picks_menu(page: Any) -> None:
    page.locator("#picks-button").click()


def with_axis_menu(page: Any) -> None:
    page.locator(".tag").first.click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "state",
    [
        nothing,
        with_panel,
        with_picture,
        with_comparison,
        with_slider,
        with_keys,
        with_view_menu,
        with_picks_menu,
        with_axis_menu,
    ],
)
def test_axe_finds_nothing(scheme: str, state: Any, open_sheet: Any, context: Any, watch: Any, tmp_path: Path) -> None:
    del open_sheet
    page = context.new_page()
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    watch.over(page)
    page.goto(experiment().write(tmp_path / "sheet", faces=3).as_uri() + "#caption=prompt")
    page.wait_for_selector("html[data-ready]")

    state(page)
    page.wait_for_timeout(200)  # what the state opens or filters is drawn in frames of its own

    assert violations(page) == []


@pytest.mark.parametrize("name", ["plain", "campaign", "runs", "hostile"])
def test_axe_finds_nothing_on_other_sheets(name: str, open_sheet: Any) -> None:
    page = open_sheet(SHEETS[name]())

    assert violations(page) == []


@pytest.mark.parametrize("width", [360, 768])
def test_axe_finds_nothing_on_small_screens(width: int, open_sheet: Any) -> None:
    page = open_sheet(experiment(), width=width, height=780)

    assert violations(page) == []


def test_every_control_is_reached_with_the_tab_key_and_shows_its_focus(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    page.locator("body").click(position={"x": 300, "y": 4})
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => {
            const at = document.activeElement;
            const style = getComputedStyle(at.id === 'grid' ? document.querySelector('.current .frame') : at);
            const name = at.getAttribute('aria-label') || at.textContent || at.id;
            return [name, style.outlineStyle + style.outlineWidth]; }"""
        )
        reached.append(found)

    names = " ".join(name for name, _ in reached)
    for expected in (
        "Find in prompts",
        "Filter",
        "View",
        "Size of the thumbnails",
        "Picks",
        "All keys",
        "guidance",
        "Swap columns",
        "Next seed",
        "Pictures",
    ):
        assert expected in names, expected
    assert {outline for _, outline in reached if outline not in ("solid2px", "solid3px")} <= {"none0px", "none3px"}
    assert sum(outline.startswith("solid") for _, outline in reached) > 15


def test_a_visit_by_keyboard_alone(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.id") == "grid":
            break

    for key in (
        "ArrowDown",
        "ArrowRight",
        "Enter",
        "p",
        "5",
        "ArrowRight",
        "c",
        "Escape",
        "ArrowLeft",
        "c",
        "v",
        "p",
        "Escape",
    ):
        page.keyboard.press(key)
        page.wait_for_timeout(60)  # a person takes longer between two keys

    assert page.locator(".cell.picked").count() >= 1
    assert page.locator(".cell.compared").count() == 2
    assert page.evaluate("() => document.activeElement.id") == "grid"


def test_the_question_mark_shows_all_keys(open_sheet: Any) -> None:
    page = open_sheet(plain())

    page.keyboard.press("?")
    text = page.locator("#help").inner_text()

    for expected in (
        "Pick",
        "Reject",
        "1 – 5",
        "Along the axes of the grid",
        "Export picks.yaml",
        "Into the comparison",
    ):
        assert expected in text, expected
    page.keyboard.press("Escape")
    assert page.locator("#help").is_hidden()


def test_pictures_have_their_prompt_as_alternative_text(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    assert page.locator(".cell img").first.get_attribute("alt") == "a red fox asleep in fresh snow, overcast light"


def test_prompts_run_in_their_own_direction(open_sheet: Any) -> None:
    page = open_sheet(hostile(), "#caption=prompt&find=مرحبا")

    caption = page.locator(".cell .caption").first

    assert caption.evaluate("(line) => getComputedStyle(line).direction") == "rtl"
    assert page.evaluate("() => getComputedStyle(document.body).direction") == "ltr"


def test_the_colours_can_be_chosen_and_are_remembered(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.locator("#view-button").click()
    page.get_by_label("Dark", exact=True).check()

    dark = page.evaluate(ground)
    page.reload()
    page.wait_for_selector("html[data-ready]")

    assert light != dark
    assert page.evaluate(ground) == dark


def test_on_paper_every_picture_is_there_and_nothing_else(open_sheet: Any, tmp_path: Path) -> None:
    page = open_sheet(experiment())

    page.emulate_media(media="print")
    page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    wait_for_pictures(page)

    assert page.locator(".line.is-row").count() == 12
    assert page.locator(".controls").is_hidden()
    assert page.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor") == "rgb(255, 255, 255)"
    paper = page.pdf(path=tmp_path / "paper.pdf")
    assert paper.count(b"/Type /Page\n") >= 3
    page.evaluate("() => window.dispatchEvent(new Event('afterprint'))")
    assert page.locator(".line.is-row").count() < 12


def test_a_running_sheet_follows_the_run_and_stays_as_it_is(open_sheet: Any, tmp_path: Path) -> None:
    sheet = experiment(finished=False, refresh_s=1)
    page = open_sheet(sheet, "#x=steps&y=guidance&open=")
    page.locator("#grid").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("#stage").evaluate("(stage) => stage.scrollTo(0, 300)")
    title = page.locator("#lightbox-title").inner_text()

    sheet.data["title"] = "written anew"
    (tmp_path / "sheet" / "index.html").write_text(page_of(sheet.data), encoding="utf-8")
    page.wait_for_function("() => document.title === 'written anew' && document.documentElement.dataset.ready")

    assert page.locator("#lightbox-title").inner_text() == title
    assert page.locator("#stage").evaluate("(stage) => stage.scrollTop") == 300
    assert page.locator(".column bdi").all_inner_texts()[:3] == ["20", "35", "50"]

    sheet.data |= {"finished": True, "refresh_s": None, "title": "finished"}
    (tmp_path / "sheet" / "index.html").write_text(page_of(sheet.data), encoding="utf-8")
    page.wait_for_function("() => document.title === 'finished' && document.documentElement.dataset.ready")
    page.evaluate("() => { window.stays = true; }")
    page.wait_for_timeout(1500)  # a window in which nothing may happen: longer than its refresh was
    assert page.evaluate("() => window.stays") is True


def test_a_running_sheet_waits_while_one_writes_and_can_be_paused(open_sheet: Any) -> None:
    page = open_sheet(experiment(finished=False, refresh_s=1))
    assert page.locator(".flag.is-running").inner_text() == "Running"
    page.evaluate("() => { window.stays = true; }")
    page.locator("#find").focus()
    page.wait_for_timeout(3500)  # a window in which nothing may happen: three refreshes long
    assert page.evaluate("() => window.stays") is True

    page.get_by_role("button", name="Pause").click()
    page.locator("#grid").focus()
    page.wait_for_timeout(3500)  # a window in which nothing may happen: three refreshes long
    assert page.evaluate("() => window.stays") is True

    page.get_by_role("button", name="Go on").click()
    page.locator("#grid").focus()
    page.wait_for_function("() => !window.stays", timeout=9000)


def test_emulated_pictures_are_marked(open_sheet: Any) -> None:
    page = open_sheet(experiment(emulated=True))

    assert page.locator(".flag").inner_text() == "Emulated"


def test_the_data_is_read_as_it_was_written(open_sheet: Any) -> None:
    sheet = hostile()
    page = open_sheet(sheet)

    assert json.loads(page.locator("#sheet-data").text_content()) == json.loads(json.dumps(sheet.data))
