"""Choosing: marks by keyboard and mouse, kept in the browser, exported and read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from make_sheet import experiment, plain, runs


def exported(page: Any) -> tuple[str, Any]:
    """Press E, and read the file that comes."""
    with page.expect_download() as waiting:
        page.keyboard.press("e")
    download = waiting.value
    assert download.suggested_filename == "picks.yaml"
    text = Path(download.path()).read_text(encoding="utf-8")
    return text, yaml.safe_load(text)


def test_five_picks_by_the_keyboard_alone(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    page.locator("#grid").focus()

    for keys in (
        ("p", "5"),
        ("ArrowRight", "p", "4"),
        ("ArrowRight", "x"),
        ("ArrowDown", "p"),
        ("ArrowLeft", "ArrowLeft", "p"),
        ("ArrowDown", "p", "1"),
    ):
        for key in keys:
            page.keyboard.press(key)
    _, picks = exported(page)

    assert picks["picks"] == 1
    assert picks["run"] == "flex-guidance-study"
    at = [tuple(shot["coordinates"][name] for name in ("guidance", "steps", "seed")) for shot in picks["shots"]]
    assert at == [
        ("2.0", "20", "101"),
        ("2.0", "35", "101"),
        ("2.0", "50", "101"),
        ("3.0", "20", "101"),
        ("4.0", "20", "101"),
        ("4.0", "35", "101"),
    ]
    assert [shot.get("rating") for shot in picks["shots"]] == [5, None, 1, 4, None, None]
    assert [shot.get("rejected") for shot in picks["shots"]] == [None, None, None, None, True, None]
    assert all(len(shot["id"]) == 32 and shot["path"].endswith(".png") for shot in picks["shots"])


def test_the_export_is_the_same_in_whatever_order_one_picks(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    page.locator("#grid").focus()
    for key in ("p", "ArrowRight", "p"):
        page.keyboard.press(key)
    first, _ = exported(page)
    for key in ("u", "ArrowLeft", "u", "ArrowRight", "p", "ArrowLeft", "p"):
        page.keyboard.press(key)

    second, _ = exported(page)

    assert first == second


def test_u_takes_a_pick_back_and_0_the_stars(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    page.locator("#grid").focus()
    for key in ("p", "3", "u", "0"):
        page.keyboard.press(key)

    _, picks = exported(page)

    assert picks["shots"] == []


def test_picking_by_mouse(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    cell = page.locator(".cell[data-key]").nth(1)
    cell.hover()
    cell.locator(".tool-pick").click()

    assert "picked" in cell.get_attribute("aria-label")
    assert page.locator("#picks-button").inner_text().split() == ["Picks", "1"]

    cell.locator(".tool-reject").click()

    assert "rejected" in cell.get_attribute("aria-label")


def test_marks_are_there_again_after_a_reload(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    page.locator("#grid").focus()
    page.keyboard.press("p")
    page.keyboard.press("4")

    page.reload()
    page.wait_for_selector("html[data-ready]")

    assert page.locator(".cell.picked .is-stars").inner_text() == "4★"


def test_a_note_is_written_beside_the_picture_and_exported(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    page.locator("#grid").focus()
    page.keyboard.press("p")
    page.keyboard.press("n")
    page.keyboard.type('the fur: "soft", #1\nمرحبا')
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_selector("#lightbox", state="hidden")
    page.locator("#grid").focus()

    _, picks = exported(page)

    assert picks["shots"][0]["note"] == 'the fur: "soft", #1\nمرحبا'


def test_a_note_that_ends_in_a_line_break_is_exported_without_it(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    page.locator("#grid").focus()
    page.keyboard.press("n")
    page.keyboard.type("warm\n")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_selector("#lightbox", state="hidden")
    page.locator("#grid").focus()

    _, picks = exported(page)

    assert picks["shots"][0]["note"] == "warm"


def test_a_pick_says_what_was_written_and_not_only_its_id(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    page.locator("#grid").focus()
    page.keyboard.press("p")

    _, picks = exported(page)

    assert picks["shots"][0]["coordinates"]["light"] == {"id": "overcast-light", "value": "overcast light"}
    assert picks["shots"][0]["coordinates"]["subject"] == "fox"


def test_enter_opens_a_picture_of_a_sheet_that_nobody_has_touched(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.keyboard.press("Enter")

    page.wait_for_selector("#lightbox[open]")


def test_a_rating_alone_is_not_a_pick(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    page.locator("#grid").focus()
    page.keyboard.press("2")

    _, picks = exported(page)

    assert [(shot["rating"], shot["picked"]) for shot in picks["shots"]] == [(2, False)]


def test_an_export_can_be_read_back(open_sheet: Any, tmp_path: Path) -> None:
    page = open_sheet(experiment())
    page.locator("#grid").focus()
    for key in ("p", "5", "ArrowRight", "x", "ArrowRight", "2"):
        page.keyboard.press(key)
    text, _ = exported(page)
    saved = tmp_path / "picks.yaml"
    saved.write_text(text, encoding="utf-8")
    page.locator("#picks-button").click()
    forget = page.get_by_role("button", name="Forget all marks")
    forget.click()
    page.get_by_role("button", name="Forget 3 marks for good?").click()
    assert page.locator(".cell.picked").count() == 0

    page.locator("#picks-button").click()
    page.locator("#menu input[type=file]").set_input_files(saved)
    page.wait_for_selector(".cell.picked")

    assert page.locator("#said").inner_text() == "3 shots taken from picks.yaml."
    page.locator("#grid").focus()
    assert exported(page)[0] == text


def test_a_file_that_is_no_picks_yaml_says_so_and_changes_nothing(open_sheet: Any, tmp_path: Path) -> None:
    page = open_sheet(experiment())
    wrong = tmp_path / "picks.yaml"
    wrong.write_text("flux2batch: 1\nprompt: a boat\n", encoding="utf-8")
    page.locator("#picks-button").click()
    page.locator("#menu input[type=file]").set_input_files(wrong)
    page.wait_for_selector("#said.shown")

    assert page.locator("#said").inner_text() == "This is not a picks.yaml of version 1."


def test_what_the_sheet_brings_along_is_marked_at_first(open_sheet: Any) -> None:
    page = open_sheet(experiment(picks=[[0, 5, "best", True, False], [1, None, None, False, True]]))

    assert "picked, 5 stars, has a note" in page.locator(".cell.picked").get_attribute("aria-label")


def test_the_share_that_was_kept_stands_beside_each_value_with_its_cost(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    page.locator("#grid").focus()
    for key in ("p", "ArrowDown", "p", "ArrowRight", "ArrowRight", "p"):
        page.keyboard.press(key)
    page.keyboard.press("s")

    row = page.locator(".tally").nth(2).locator("tbody tr")

    told = row.evaluate_all("(rows) => rows.map((row) => [...row.cells].slice(1).map((cell) => cell.textContent))")
    assert told == [
        ["2 of 36", "$2.16"], ["0 of 36", "$2.10"], ["1 of 36", "$2.10"], ["0 of 24", "$1.38"],
    ]  # fmt: skip


def test_going_on_after_choosing_is_a_choice(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    page.locator("#picks-button").click()
    page.get_by_label("Go on to the next picture after choosing").check()
    page.keyboard.press("Escape")
    page.locator("#grid").focus()
    for key in ("p", "x", "p"):
        page.keyboard.press(key)

    assert page.locator(".cell.picked").count() == 2
    assert page.locator(".cell.rejected").count() == 1


def test_picks_of_several_runs_name_their_run(open_sheet: Any) -> None:
    page = open_sheet(runs())
    page.locator("#grid").focus()
    for key in ("p", "ArrowRight", "ArrowRight", "p"):
        page.keyboard.press(key)

    _, picks = exported(page)

    assert [(shot["run"], shot["path"]) for shot in picks["shots"]] == [("draft", "fox-1.png"), ("final", "fox-1.png")]


def test_a_browser_that_keeps_nothing_says_so(open_page: Any, context: Any, tmp_path: Path) -> None:
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no'); } });"
    )
    page = open_page(plain().write(tmp_path / "sheet", faces=1))
    page.locator("#grid").focus()
    page.keyboard.press("p")
    page.wait_for_selector("#said.shown")

    assert (
        page.locator("#said").inner_text()
        == "This browser keeps nothing for this page: export the picks before you close it."
    )
    assert page.locator(".cell.picked").count() == 1


def test_two_windows_of_one_sheet_agree(open_sheet: Any, open_page: Any, tmp_path: Path) -> None:
    one = open_sheet(experiment())
    other = open_page(tmp_path / "sheet" / "index.html")
    one.bring_to_front()
    one.locator("#grid").focus()
    one.keyboard.press("p")

    other.wait_for_selector(".cell.picked", state="attached")
