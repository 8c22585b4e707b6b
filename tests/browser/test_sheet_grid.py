"""The grid: any axis to any place, by mouse and keys; filters, captions, thumbnails; all of it in the address."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from make_sheet import campaign, experiment, plain, runs


def heads(page: Any, level: int = 0) -> list[str]:
    return page.locator(".head").nth(level).locator(".column bdi").all_inner_texts()


def rows(page: Any) -> list[str]:
    return page.locator(".rowhead bdi").all_inner_texts()


def asked(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).fragment, keep_blank_values=True)


def shown(page: Any) -> str:
    return page.locator("#summary").inner_text().split(" · ")[0]


def test_an_axis_dropped_on_another_changes_places_with_it(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.locator("[data-axis=light]").drag_to(page.locator("[data-axis=guidance]"))

    assert heads(page) == ["overcast light", "low golden sun"]
    assert page.locator(".section .part").nth(1).inner_text().split() == ["guidance", "2.0"]


def test_an_axis_dropped_on_an_empty_place_moves_there(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.locator("[data-axis=light]").drag_to(page.locator("[data-place=cols]"))

    assert heads(page, 0) == ["overcast light", "low golden sun"]
    assert heads(page, 1) == ["2.0", "3.0", "4.0", "5.0"] * 2


def test_an_axis_moves_by_the_arrow_keys(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.locator("[data-axis=light]").focus()
    page.keyboard.press("ArrowRight")

    assert heads(page, 0) == ["overcast light", "low golden sun"]
    assert page.evaluate("() => document.activeElement.dataset.axis") == "light"


def test_an_axis_moves_by_its_menu(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.locator("[data-axis=seed]").click()
    page.get_by_role("menuitemradio", name="Columns", exact=True).click()

    assert heads(page) == ["101", "102", "103"]
    assert page.get_by_role("slider", name="guidance").is_visible()


def test_t_swaps_columns_and_rows(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.locator("#grid").focus()
    page.keyboard.press("t")

    assert heads(page) == ["20", "35", "50"]
    assert rows(page)[:4] == ["2.0", "3.0", "4.0", "5.0"]


def test_the_stepper_goes_through_the_axis_that_is_not_on_the_grid(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    first = page.locator(".cell[data-key]").first

    before = first.get_attribute("data-key")
    page.get_by_role("button", name="Next seed").click()
    after = first.get_attribute("data-key")

    assert before != after
    assert "seed 102" in first.get_attribute("aria-label")
    page.keyboard.press("]")
    page.keyboard.press("]")
    assert "seed 101" in first.get_attribute("aria-label")
    page.keyboard.press("[")
    assert "seed 103" in first.get_attribute("aria-label")
    page.get_by_role("slider", name="seed").fill("1")
    assert "seed 102" in first.get_attribute("aria-label")


def test_any_value_of_a_stepped_axis_shows_how_many_pictures_stand_in_a_place(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.get_by_role("button", name="any").click()

    assert page.locator(".more").first.inner_text() == "+2"


def test_headings_stay_in_sight(open_sheet: Any) -> None:
    page = open_sheet(experiment(), "#cols=light&rows=subject&size=300")

    page.locator("#stage").evaluate("(stage) => stage.scrollTo(500, 900)")
    page.wait_for_timeout(150)  # headings are placed in a frame after the scroll

    stage = page.locator("#stage").bounding_box()
    assert page.locator(".head").first.bounding_box()["y"] == pytest.approx(stage["y"], abs=2)
    assert page.locator(".rowhead").first.bounding_box()["x"] == pytest.approx(stage["x"], abs=2)
    assert page.locator("#here").inner_text().split() == ["subject", "fox"]


def test_holes_of_the_plan_are_empty_places(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    assert page.get_by_role("gridcell", name="no shot here").count() >= 1


def test_a_filter_on_values_leaves_only_theirs(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.locator("#filter-button").click()
    page.locator(".tally").nth(2).get_by_role("checkbox", name="2.0").uncheck()
    page.locator(".tally").nth(0).locator("tr", has_text="clock").hover()
    page.get_by_role("button", name="Only subject clock").click()

    assert heads(page) == ["3.0", "4.0", "5.0"]
    assert shown(page) == "48 of 132 shots"
    assert page.locator(".chip").all_inner_texts() == ["guidance 3.0, 4.0, 5.0", "subject clock"]
    page.get_by_role("button", name="Clear all").first.click()
    assert shown(page) == "132 shots"


def test_a_filter_on_states(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.locator("#filter-button").click()
    page.get_by_label("Only what went wrong").check()
    assert shown(page) == "3 of 132 shots"

    page.get_by_role("checkbox", name="Failed").uncheck()
    assert shown(page) == "2 of 132 shots"


def test_a_filter_on_text_finds_words_in_any_order(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.keyboard.press("/")
    page.keyboard.type("snow GOLDEN")
    page.get_by_text("33 of 132 shots").wait_for()

    page.keyboard.press("Escape")
    assert shown(page) == "132 shots"


def test_a_text_that_is_nowhere_leaves_a_way_back(open_sheet: Any) -> None:
    page = open_sheet(experiment(), "#find=zebra")

    assert page.locator(".nothing p").inner_text() == "Nothing fits these filters."
    page.get_by_role("button", name="Clear all filters").click()
    assert shown(page) == "132 shots"


def test_a_filter_on_marks(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    page.locator("#grid").focus()
    for key in ("3", "ArrowRight", "5", "ArrowRight", "x"):
        page.keyboard.press(key)
    page.locator("#filter-button").click()

    for choice, expected in {"3": 2, "4": 1, "rejected": 1, "unrated": 129, "picked": 0}.items():
        page.get_by_label("Marks").select_option(choice)
        assert shown(page) == f"{expected} of 132 shots", choice


def test_only_what_differs_between_runs(open_sheet: Any) -> None:
    page = open_sheet(runs())

    page.locator("#grid").focus()
    page.keyboard.press("d")

    assert shown(page) == "4 of 8 pictures"
    assert rows(page) == ["2"]


def test_the_view_is_in_the_address_and_comes_back_from_it(open_sheet: Any, open_page: Any, tmp_path: Any) -> None:
    page = open_sheet(experiment())
    page.locator("#grid").focus()
    for key in ("t", "]", "+", "ArrowRight"):
        page.keyboard.press(key)
    page.locator("#filter-button").click()
    page.locator(".tally").nth(1).get_by_role("checkbox", name="low golden sun").uncheck()
    page.keyboard.press("/")
    page.keyboard.type("fox")
    page.wait_for_selector(".chip >> nth=1")

    other = open_page(tmp_path / "sheet" / "index.html", "#" + urlsplit(page.url).fragment)

    assert {
        "x": ["steps"],
        "y": ["guidance"],
        "at.seed": ["102"],
        "only.light": ["overcast-light"],
        "find": ["fox"],
    }.items() <= asked(page).items()
    assert heads(other) == heads(page) == ["20", "35", "50"]
    assert shown(other) == shown(page)
    assert other.locator(".cell[data-key]").first.get_attribute("aria-label") == page.locator(
        ".cell[data-key]"
    ).first.get_attribute("aria-label")
    assert other.locator("#size").input_value() == page.locator("#size").input_value()


def test_larger_thumbnails_are_taken_from_the_larger_files(open_sheet: Any) -> None:
    page = open_sheet(experiment(), "#size=120")
    small = page.locator(".cell img").first.get_attribute("src")

    page.locator("#size").fill("420")
    large = page.locator(".cell img").first

    assert small.endswith("-s.jpg")
    assert large.get_attribute("src").endswith("-l.jpg")
    assert large.bounding_box()["width"] == pytest.approx(420, abs=2)


def test_captions_are_chosen(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.locator("#view-button").click()
    for name in ("Prompt", "Cost", "Time", "Seed"):
        page.get_by_label(name, exact=True).check()
    first = page.locator(".cell[data-key]").first.locator(".caption")

    assert first.all_inner_texts() == [
        "a red fox asleep in fresh snow, overcast light",
        "seed 101 · $0.06 · 11.4 s",
    ]


def test_a_gallery_is_sorted_and_grouped(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.locator("#view-button").click()
    page.get_by_label("Sort the gallery by").select_option("axis guidance")
    page.get_by_label("Group the gallery by").select_option("axis subject")

    assert page.locator(".section").first.inner_text().split()[:2] == [
        "subject",
        "fox",
    ]
    labels = page.locator(".cell").evaluate_all(
        "(cells) => cells.slice(0, 6).map((cell) => cell.getAttribute('aria-label'))"
    )
    assert all("subject fox" in label and "guidance 2.0" in label for label in labels)


def test_a_gallery_is_sorted_by_cost(open_sheet: Any) -> None:
    page = open_sheet(plain(), "#sort=cost")

    labels = page.locator(".cell").evaluate_all(
        "(cells) => cells.slice(0, 3).map((cell) => cell.getAttribute('aria-label'))"
    )

    assert labels == ["boat-2.png", "boat-1.png", "boat-0.png"]


def test_g_goes_from_grid_to_gallery_and_back(open_sheet: Any) -> None:
    page = open_sheet(campaign())
    page.locator("#grid").focus()

    page.keyboard.press("g")
    assert page.locator(".head").count() == 0
    page.keyboard.press("g")
    assert heads(page) == ["Feed 4:5", "Story 9:16", "Banner 1.91:1"]


def test_the_first_view_comes_back(open_sheet: Any) -> None:
    page = open_sheet(experiment(), "#x=seed&find=fox&size=100")

    page.locator("#view-button").click()
    page.get_by_role("button", name="Back to the first view").click()

    assert urlsplit(page.url).fragment == ""
    assert heads(page) == ["2.0", "3.0", "4.0", "5.0"]
