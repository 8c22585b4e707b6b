"""The cursor: where it stands after a step, a filter or an exchange of axes, and that E exports wherever one is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from make_sheet import Sheet, experiment

Picked = list[tuple[str, ...]]


def opened(open_sheet: Any, sheet: Sheet | None = None, address: str = "", *, originals: bool = False) -> Any:
    page = open_sheet(sheet or experiment(), address, originals=originals)
    page.locator("#grid").focus()
    return page


def press(page: Any, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)


def exported(page: Any) -> Any:
    with page.expect_download() as waiting:
        page.keyboard.press("e")
    return yaml.safe_load(Path(waiting.value.path()).read_text(encoding="utf-8"))


def picked(page: Any, *names: str) -> Picked:
    return [tuple(shot["coordinates"][name] for name in names) for shot in exported(page)["shots"]]


def stands_on(page: Any) -> str:
    """What a screen reader says of the cell that keys act on."""
    said = page.evaluate(
        "() => document.getElementById(document.getElementById('grid').getAttribute('aria-activedescendant'))"
        "?.getAttribute('aria-label') || ''"
    )
    assert page.locator(".cell.current").get_attribute("aria-label") == said
    return str(said)


def scrolled(page: Any) -> list[float]:
    return list(page.locator("#stage").evaluate("(stage) => [stage.scrollLeft, stage.scrollTop]"))


def in_sight(page: Any) -> bool:
    return bool(
        page.locator(".cell.current").evaluate(
            "(cell) => { const box = cell.getBoundingClientRect(), stage = document.getElementById('stage')"
            ".getBoundingClientRect(); return box.bottom > stage.top && box.top < stage.bottom; }"
        )
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("ArrowDown ArrowRight p ] p ] p", [("3.0", "35", "101"), ("3.0", "35", "102"), ("3.0", "35", "103")]),
        ("ArrowDown ArrowDown p [ p", [("2.0", "50", "101"), ("2.0", "50", "103")]),
    ],
)
def test_a_step_leaves_the_cursor_in_its_cell(keys: str, expected: Picked, open_sheet: Any) -> None:
    page = opened(open_sheet)

    press(page, keys)

    assert picked(page, "guidance", "steps", "seed") == expected


def test_a_step_far_down_the_sheet_moves_neither_cursor_nor_window(open_sheet: Any) -> None:
    page = opened(open_sheet)
    press(page, "Control+ArrowDown ArrowUp ArrowLeft ArrowLeft")
    before = scrolled(page)

    press(page, "] p")

    assert "subject clock, light low golden sun, guidance 3.0, steps 35, seed 102, picked" in stands_on(page)
    assert scrolled(page) == before != [0, 0]
    assert in_sight(page)
    assert page.evaluate("() => document.activeElement.id") == "grid"


def test_a_step_leaves_the_window_where_it_was_scrolled_to(open_sheet: Any) -> None:
    page = opened(open_sheet)
    page.locator("#stage").evaluate("(stage) => stage.scrollTo(0, 777)")

    press(page, "] ]")

    assert scrolled(page) == [0, 777]


def test_the_stepper_steps_by_mouse_as_by_key(open_sheet: Any) -> None:
    page = opened(open_sheet)
    press(page, "ArrowDown ArrowRight")

    page.get_by_role("button", name="Next seed").click()
    assert "guidance 3.0, steps 35, seed 102" in stands_on(page)

    page.get_by_role("button", name="Next seed").click()
    press(page, "p")
    assert "guidance 3.0, steps 35, seed 103, picked" in stands_on(page)


def test_the_slider_is_dragged_from_end_to_end_and_keys_go_on_acting_on_the_cursor(open_sheet: Any) -> None:
    page = opened(open_sheet)
    press(page, "ArrowDown ArrowRight")
    box = page.get_by_role("slider", name="seed").bounding_box()
    middle = box["y"] + box["height"] / 2

    page.mouse.move(box["x"] + 8, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, middle, steps=4)
    assert "guidance 3.0, steps 35, seed 102" in stands_on(page)
    page.mouse.move(box["x"] + box["width"] - 4, middle, steps=4)
    page.mouse.up()
    press(page, "p")

    assert "guidance 3.0, steps 35, seed 103, picked" in stands_on(page)
    assert page.get_by_role("slider", name="seed").evaluate("(slider) => slider === document.activeElement")


def test_where_the_next_value_has_no_shot_the_cursor_waits_in_the_empty_place(open_sheet: Any) -> None:
    sheet = experiment()
    column = sheet.data["columns"].index("c")
    sheet.data["shots"] = [row for row in sheet.data["shots"] if row[column][2:] != [1, 1, 1]]
    page = opened(open_sheet, sheet)
    press(page, "ArrowDown ArrowRight ]")
    assert stands_on(page) == "no shot here"

    press(page, "p")
    assert page.locator("#said.shown").inner_text() == "There is no picture here."

    press(page, "] p")
    assert picked(page, "guidance", "steps", "seed") == [("3.0", "35", "103")]


def test_arrow_keys_lead_out_of_an_empty_place(open_sheet: Any) -> None:
    sheet = experiment()
    column = sheet.data["columns"].index("c")
    sheet.data["shots"] = [row for row in sheet.data["shots"] if row[column][2:] != [1, 1, 1]]
    page = opened(open_sheet, sheet)

    press(page, "ArrowDown ArrowRight ] ArrowRight")

    assert "guidance 4.0, steps 35, seed 102" in stands_on(page)


def test_the_cursor_stays_on_its_picture_when_columns_and_rows_change_places(open_sheet: Any) -> None:
    page = opened(open_sheet)
    press(page, "ArrowDown ArrowDown ArrowRight ]")

    press(page, "t")
    assert "guidance 3.0, steps 50, seed 102" in stands_on(page)
    assert in_sight(page)

    page.get_by_role("button", name="Swap columns and rows").click()
    assert "guidance 3.0, steps 50, seed 102" in stands_on(page)


def test_the_cursor_stays_on_its_picture_when_the_stepped_axis_comes_onto_the_grid(open_sheet: Any) -> None:
    page = opened(open_sheet)
    press(page, "ArrowDown ArrowDown ArrowRight ]")

    page.locator("[data-axis=seed]").drag_to(page.locator("[data-place=cols]"))

    assert "guidance 3.0, steps 50, seed 102" in stands_on(page)


def test_the_cursor_stays_on_its_picture_from_grid_to_gallery_and_back(open_sheet: Any) -> None:
    page = opened(open_sheet)
    press(page, "ArrowDown ArrowDown ArrowRight ]")

    press(page, "g")
    assert "guidance 3.0, steps 50, seed 102" in stands_on(page)
    assert in_sight(page)
    press(page, "g")
    assert "guidance 3.0, steps 50, seed 102" in stands_on(page)


def test_the_filters_open_without_moving_the_cursor(open_sheet: Any) -> None:
    page = opened(open_sheet)
    press(page, "ArrowDown ArrowDown ArrowRight")
    before = page.locator(".cell.current").bounding_box()["width"]

    press(page, "s")
    page.wait_for_function(
        "(before) => document.querySelector('.cell.current').getBoundingClientRect().width !== before", arg=before
    )

    assert "guidance 3.0, steps 50, seed 101" in stands_on(page)
    assert in_sight(page)


def test_a_filter_that_shows_the_picture_leaves_the_cursor_on_it(open_sheet: Any) -> None:
    page = opened(open_sheet)
    press(page, "Control+ArrowDown ArrowLeft ArrowLeft")

    press(page, "/")
    page.keyboard.type("clock")
    page.get_by_text("66 of 132 shots").wait_for()
    press(page, "Enter")

    assert "subject clock, light low golden sun, guidance 3.0, steps 50, seed 101" in stands_on(page)
    assert in_sight(page)


def test_a_filter_that_hides_the_picture_leads_to_the_nearest(open_sheet: Any) -> None:
    page = opened(open_sheet)
    press(page, "ArrowDown ArrowDown ArrowRight s")

    page.locator(".tally").nth(0).locator("tr", has_text="clock").hover()
    page.get_by_role("button", name="Only subject clock").click()
    assert "subject clock, light overcast light, guidance 3.0, steps 50" in stands_on(page)

    page.locator(".tally").nth(2).get_by_role("checkbox", name="3.0").uncheck()
    assert "subject clock, light overcast light, guidance 4.0, steps 50" in stands_on(page)


def test_a_filter_that_hides_everything_keeps_the_place_for_afterwards(open_sheet: Any) -> None:
    page = opened(open_sheet)
    press(page, "ArrowDown ArrowDown ArrowRight /")

    page.keyboard.type("zebra")
    page.locator(".nothing p").wait_for()
    press(page, "Escape")

    assert "guidance 3.0, steps 50, seed 101" in stands_on(page)


def test_in_a_gallery_the_next_takes_the_place_of_what_a_mark_takes_away(open_sheet: Any) -> None:
    page = opened(open_sheet, address="#mode=gallery&mark=unrated&sort=stars")
    press(page, "ArrowRight ArrowRight ArrowRight")

    press(page, "p p x")

    assert "guidance 2.0, steps 35, seed 101" not in stands_on(page)
    assert picked(page, "guidance", "steps", "seed") == [
        ("2.0", "35", "101"),
        ("2.0", "35", "102"),
        ("2.0", "35", "103"),
    ]


@pytest.mark.parametrize("keys", ["x PageDown Escape", "x Escape"])
def test_the_next_takes_its_place_with_a_picture_open_too(keys: str, open_sheet: Any) -> None:
    page = opened(open_sheet, address="#mode=gallery&mark=unrated", originals=True)
    press(page, "ArrowRight Enter")
    page.wait_for_selector("#lightbox[open]")
    press(page, "PageDown PageDown")
    assert "steps 35, seed 101" in page.locator("#lightbox-title").inner_text()

    press(page, keys)
    page.wait_for_selector("#lightbox", state="hidden")

    assert "guidance 2.0, steps 35, seed 102" in stands_on(page)


def test_the_cursor_stays_in_sight_when_the_thumbnails_grow(open_sheet: Any) -> None:
    page = opened(open_sheet, address="#size=96")
    press(page, "Control+ArrowDown")
    before = stands_on(page)

    page.locator("#size").fill("260")

    assert stands_on(page) == before
    assert in_sight(page)


@pytest.mark.parametrize("where", ["lightbox", "compare"])
def test_e_exports_with_a_dialog_open_and_says_so_in_sight(where: str, open_sheet: Any) -> None:
    page = opened(open_sheet, originals=True)
    press(page, "p")
    press(page, "Enter" if where == "lightbox" else "c ArrowRight c v")
    page.wait_for_selector(f"#{where}[open]")

    assert picked(page, "guidance", "steps") == [("2.0", "20")]

    said = page.locator("#said.shown").inner_text()
    assert said == "picks.yaml: 1 picked, 0 rejected. Put it beside the job file."
    # Behind the dialog that lies on top of the page nobody would see it.
    assert page.evaluate("() => document.getElementById('said').parentElement.id") == where


def test_the_letters_of_delete_take_nothing_out_of_a_comparison(open_sheet: Any) -> None:
    page = opened(open_sheet, originals=True)
    press(page, "p c ArrowRight c ArrowRight c v")
    page.wait_for_selector("#compare[open]")

    press(page, "l t")

    assert page.locator("#compare .pane").count() == 3


def test_e_in_a_note_is_a_letter(open_sheet: Any) -> None:
    page = opened(open_sheet, originals=True)
    press(page, "p n")

    page.keyboard.type("blue eyes")

    assert page.locator("#lightbox .note").input_value() == "blue eyes"


def test_the_help_says_that_e_works_everywhere(open_sheet: Any) -> None:
    page = opened(open_sheet)
    press(page, "?")

    everywhere = page.locator("#help section").first

    assert everywhere.locator("h3").inner_text() == "Everywhere"
    assert "Export picks.yaml" in everywhere.inner_text()
