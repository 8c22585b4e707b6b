"""Looking: one picture large, its neighbours along the axes, zoom, comparison, and what can be taken away as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from make_sheet import campaign, experiment, plain

HERE = "#lightbox-title"


def opened(open_sheet: Any, sheet: Any = None, address: str = "", **size: int) -> Any:
    page = open_sheet(sheet or experiment(), address, **size)
    page.locator("#grid").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#lightbox[open]")
    return page


def look(page: Any) -> dict[str, float]:
    page.wait_for_selector(".surface.is-sharp")
    return page.locator("#lightbox .sharp").evaluate(
        "(image) => { const box = image.getBoundingClientRect(); return { x: box.x, y: box.y, width: box.width }; }"
    )


def test_a_click_opens_a_picture_and_escape_closes_it(open_sheet: Any) -> None:
    page = open_sheet(experiment())

    page.locator(".cell img").nth(1).click()
    assert page.locator(HERE).inner_text() == "subject fox, light overcast light, guidance 3.0, steps 20, seed 101"
    page.wait_for_selector(".surface.is-sharp")
    assert page.locator("#lightbox .sharp").evaluate("(image) => image.naturalWidth") == 1024

    page.keyboard.press("Escape")
    page.wait_for_selector("#lightbox", state="hidden")
    assert "open=" not in page.url


def test_arrow_keys_go_along_the_axes_of_the_grid(open_sheet: Any) -> None:
    page = opened(open_sheet)

    walk = {
        "ArrowRight": "guidance 3.0, steps 20",
        "ArrowDown": "guidance 3.0, steps 35",
        "]": "guidance 3.0, steps 35, seed 102",
        "Shift+ArrowDown": "light low golden sun, guidance 3.0, steps 35, seed 102",
        "ArrowLeft": "guidance 2.0, steps 35, seed 102",
        "[": "guidance 2.0, steps 35, seed 101",
    }
    for key, expected in walk.items():
        page.keyboard.press(key)
        assert expected in page.locator(HERE).inner_text(), key


def test_the_end_of_an_axis_is_an_end(open_sheet: Any) -> None:
    page = opened(open_sheet)

    for _ in range(6):
        page.keyboard.press("ArrowRight")

    assert "guidance 4.0, steps 20" in page.locator(HERE).inner_text()  # 5.0 is excluded with 20 steps
    assert page.get_by_role("button", name="Next guidance").is_disabled()


def test_page_down_goes_on_in_the_order_of_the_plan(open_sheet: Any) -> None:
    page = opened(open_sheet)

    page.keyboard.press("PageDown")

    assert "guidance 2.0, steps 20, seed 102" in page.locator(HERE).inner_text()


def test_each_axis_has_its_buttons(open_sheet: Any) -> None:
    page = opened(open_sheet)

    page.get_by_role("button", name="Next subject").click()

    assert "subject clock" in page.locator(HERE).inner_text()
    assert page.evaluate("() => document.activeElement.closest('dialog') !== null")


def test_neighbours_that_a_filter_hides_are_stepped_over(open_sheet: Any) -> None:
    page = opened(open_sheet, address="#only.guidance=2.0&only.guidance=4.0")

    page.keyboard.press("ArrowRight")

    assert "guidance 4.0" in page.locator(HERE).inner_text()


def test_the_sheet_stands_where_one_looked_last(open_sheet: Any) -> None:
    page = opened(open_sheet)

    for key in ("ArrowRight", "ArrowDown", "]", "Escape"):
        page.keyboard.press(key)
    page.wait_for_selector("#lightbox", state="hidden")

    assert "guidance 3.0, steps 35, seed 102" in page.locator(".cell.current").get_attribute("aria-label")
    assert page.evaluate("() => document.activeElement.id") == "grid"


def test_the_browsers_back_closes_the_picture(open_sheet: Any) -> None:
    page = opened(open_sheet)
    page.keyboard.press("c")

    page.go_back()
    page.wait_for_selector("#lightbox", state="hidden")

    assert page.locator("#tray img").count() == 1


def test_a_link_to_a_picture_opens_it(open_sheet: Any, open_page: Any, tmp_path: Path) -> None:
    page = opened(open_sheet)
    page.keyboard.press("ArrowRight")

    other = open_page(tmp_path / "sheet" / "index.html", page.url[page.url.index("#") :])

    assert other.locator(HERE).inner_text() == page.locator(HERE).inner_text()


def test_zoom_to_one_pixel_for_one_and_beyond(open_sheet: Any) -> None:
    page = opened(open_sheet)
    assert look(page)["width"] < 1024

    page.keyboard.press("z")
    assert look(page)["width"] == pytest.approx(1024, abs=1)
    assert page.locator("#lightbox .percent").inner_text() == "100 %"

    page.keyboard.press("+")
    assert look(page)["width"] == pytest.approx(1536, abs=2)

    page.keyboard.press("f")
    assert look(page)["width"] < 1024


def test_the_wheel_zooms_around_the_pointer_and_dragging_pans(open_sheet: Any) -> None:
    page = opened(open_sheet)
    before = look(page)
    x, y = before["x"] + before["width"] * 0.25, before["y"] + before["width"] * 0.25

    page.mouse.move(x, y)
    page.mouse.wheel(0, -600)
    page.wait_for_timeout(100)  # the wheel is obeyed in a frame of its own
    zoomed = look(page)
    assert zoomed["width"] > before["width"] * 2
    assert (x - zoomed["x"]) / zoomed["width"] == pytest.approx(0.25, abs=0.01)

    page.mouse.down()
    page.mouse.move(x + 50, y + 30, steps=4)
    page.mouse.up()
    panned = look(page)
    assert (panned["x"] - zoomed["x"], panned["y"] - zoomed["y"]) == pytest.approx((50, 30), abs=2)


def test_a_double_click_zooms_in_and_out(open_sheet: Any) -> None:
    page = opened(open_sheet)
    before = look(page)["width"]

    page.locator("#lightbox .surface").dblclick()
    assert look(page)["width"] > before * 1.2
    page.locator("#lightbox .surface").dblclick()
    assert look(page)["width"] == pytest.approx(before)


def test_the_zoom_stays_from_picture_to_picture(open_sheet: Any) -> None:
    page = opened(open_sheet)
    look(page)
    page.keyboard.press("z")
    page.keyboard.press("Shift+ArrowRight")
    before = look(page)

    page.keyboard.press("ArrowRight")

    assert look(page) == before


def test_everything_about_the_shot_stands_beside_it(open_sheet: Any) -> None:
    page = opened(open_sheet, campaign())

    side = page.locator("#lightbox .side").inner_text()

    for expected in (
        "The enamel mug of image 1, color #0047AB",
        "bfl/flux-2-pro",
        "size\n1080 × 1350",
        "asked of the service\n1088 × 1360",
        "$0.075",
        "11.4 s",
        "seed\n7",
        "pack",
        "refs/mug.png",
        "#0047AB",
        "en/mug-01-feed.png",
    ):
        assert expected in side, expected
    assert (
        page.locator(".swatch").nth(1).evaluate("(swatch) => getComputedStyle(swatch).backgroundColor")
        == "rgb(0, 71, 171)"
    )


def test_a_moderated_shot_opens_with_its_reason(open_sheet: Any) -> None:
    page = opened(open_sheet, address="#state=moderated")

    assert "Derivative Works Filter" in page.locator("#lightbox .reason").inner_text()
    assert page.get_by_role("link", name="Open file").count() == 0


def test_the_details_can_be_put_away(open_sheet: Any) -> None:
    page = opened(open_sheet)

    page.keyboard.press("i")
    assert page.locator("#lightbox .side").is_hidden()
    page.keyboard.press("i")
    assert page.locator("#lightbox .side").is_visible()


def copied(page: Any, button: str) -> str:
    page.evaluate(
        "() => { navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }; }"
    )
    page.get_by_role("button", name=button).click()
    return page.evaluate("() => window.copied")


def test_the_prompt_is_copied(open_sheet: Any) -> None:
    page = opened(open_sheet)

    assert copied(page, "Copy prompt") == "a red fox asleep in fresh snow, overcast light"
    assert page.locator("#said").inner_text() == "Copied: the prompt."


def test_the_shot_is_copied_as_a_job_file(open_sheet: Any) -> None:
    page = opened(open_sheet)

    job = yaml.safe_load(copied(page, "Copy as job file"))

    assert job["flux2batch"] == 1
    assert job["model"] == "bfl/flux-2-flex"
    assert job["prompt"] == "a red fox asleep in fresh snow, overcast light"
    assert job["params"] == {"width": 1024, "height": 1024, "guidance": 2, "steps": 20, "seed": 101}


def test_a_copied_job_is_valid_and_keeps_template_signs_as_they_are(open_sheet: Any, tmp_path: Path) -> None:
    from flux2batch.reading.load import load_job

    sheet = plain()
    sheet.data["params"] = [{"model": "bfl/flux-2-pro", "width": 1024, "height": 1024}]
    sheet.shot([], prompt='50 % {{ off }} {% today %}: "yes" # no', file="z.png", seed=3)
    page = opened(open_sheet, sheet)
    page.keyboard.press("Escape")
    page.wait_for_selector("#lightbox", state="hidden")
    page.locator("#grid").focus()
    page.keyboard.press("Control+End")
    page.keyboard.press("Enter")

    text = copied(page, "Copy as job file")
    file = tmp_path / "again.yaml"
    file.write_text(text, encoding="utf-8")
    job, problems = load_job(file)

    assert [problem.message for problem in problems] == []
    assert job is not None
    assert yaml.safe_load(text)["vars"] == {"text_1": '50 % {{ off }} {% today %}: "yes" # no'}


def test_a_trimmed_picture_is_copied_with_its_exact_size_and_its_references(open_sheet: Any) -> None:
    page = opened(open_sheet, campaign())

    job = yaml.safe_load(copied(page, "Copy as job file"))

    assert job["params"] == {"size": {"exact": "1080x1350"}, "seed": 7}
    assert job["references"] == {"pack": "refs/mug.png", "blue": {"color": "#0047AB"}}


def test_the_command_asks_for_this_shot_alone(open_sheet: Any) -> None:
    page = opened(open_sheet)

    assert copied(page, "Copy command") == (
        'flux2batch run job.yaml --only \'subject.id == "fox" and light.id == "overcast-light" and guidance.id == "2.0"'
        ' and steps.id == "20" and seed.id == "101"\' --fresh --out runs/flex-guidance-study-again'
    )


def test_the_command_for_a_moderated_shot_tries_it_again(open_sheet: Any) -> None:
    page = opened(open_sheet, address="#state=moderated")

    assert copied(page, "Copy command").startswith('flux2batch retry job.yaml --only \'subject.id == "fox"')


def compared(open_sheet: Any, count: int = 2, sheet: Any = None) -> Any:
    page = open_sheet(sheet or experiment())
    page.locator("#grid").focus()
    page.keyboard.press("c")
    for _ in range(count - 1):
        page.keyboard.press("ArrowRight" if count < 4 else "]")
        if count >= 4:
            page.keyboard.press("ArrowRight")
        page.keyboard.press("c")
    page.keyboard.press("v")
    page.wait_for_selector("#compare[open]")
    return page


@pytest.mark.parametrize("count", [2, 3])
def test_pictures_stand_side_by_side_with_what_differs(count: int, open_sheet: Any) -> None:
    page = compared(open_sheet, count)

    names = page.locator("#compare figcaption .name").all_inner_texts()
    table = page.locator("#compare .differences tr").first.locator("th, td").all_inner_texts()

    assert names == ["guidance 2.0", "guidance 3.0", "guidance 4.0"][:count]
    assert table == ["guidance", "2", "3", "4"][: count + 1]


def test_four_are_the_most(open_sheet: Any) -> None:
    page = open_sheet(experiment(), "#mode=gallery")
    page.locator("#grid").focus()
    for _ in range(5):
        page.keyboard.press("c")
        page.keyboard.press("ArrowRight")

    assert page.locator("#said").inner_text() == "A comparison holds 4 pictures. Take one out first."
    page.get_by_role("button", name="Compare 4").click()
    assert page.locator("#compare .pane").count() == 4


def test_one_picture_is_no_comparison(open_sheet: Any) -> None:
    page = open_sheet(experiment())
    page.locator("#grid").focus()
    page.keyboard.press("c")
    page.keyboard.press("v")

    assert page.locator("#said").inner_text() == "Choose two to four pictures with C first."
    assert page.locator("#compare").is_hidden()


def test_zoom_and_pan_are_linked(open_sheet: Any) -> None:
    page = compared(open_sheet)
    page.wait_for_function("() => document.querySelectorAll('#compare .is-sharp').length === 2")
    transforms = """() => [...document.querySelectorAll('#compare .sharp')]
        .map((image) => [image.style.width, image.style.transform])"""

    before = page.evaluate(transforms)
    page.locator("#compare .surface").nth(1).hover()
    page.mouse.wheel(0, -800)
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_timeout(100)  # the wheel is obeyed in a frame of its own
    one, other = page.evaluate(transforms)

    assert one == other
    assert one != before[0]


def test_a_slider_lies_over_two(open_sheet: Any) -> None:
    page = compared(open_sheet)
    page.get_by_label("Slider", exact=True).check()

    page.get_by_label("Where the left picture ends").fill("25")
    assert (
        page.locator("#compare .surface").first.evaluate("(surface) => surface.style.clipPath")
        == "inset(0px 75% 0px 0px)"
    )

    line = page.locator("#compare .divider").bounding_box()
    page.mouse.move(line["x"] + 12, line["y"] + 80)
    page.mouse.down()
    page.mouse.move(640, line["y"] + 80, steps=5)
    page.mouse.up()
    assert float(page.get_by_label("Where the left picture ends").input_value()) == pytest.approx(50, abs=1)


def test_blinking_shows_one_and_then_the_other(open_sheet: Any) -> None:
    page = compared(open_sheet)
    page.get_by_label("Blink", exact=True).check()
    away = (
        "() => [...document.querySelectorAll('#compare .surface')].map((surface) => surface.classList.contains('away'))"
    )

    page.wait_for_function(f"() => ({away})()[0]")
    page.wait_for_function(f"() => ({away})()[1]")
    page.get_by_role("button", name="Blink by itself").click()
    first = page.evaluate(away)
    page.locator("#compare").focus()
    page.keyboard.press("b")

    assert page.evaluate(away) == first[::-1]


def test_marks_are_made_in_the_comparison_too(open_sheet: Any) -> None:
    page = compared(open_sheet)

    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("p")
    page.keyboard.press("5")
    assert [text.strip() for text in page.locator("#compare figcaption .mark").all_inner_texts()] == ["✕", "✓ ★★★★★"]

    page.keyboard.press("Escape")
    page.wait_for_selector("#compare", state="hidden")
    assert page.locator(".cell.picked.compared").count() == 1


def test_a_picture_is_taken_out_of_the_comparison(open_sheet: Any) -> None:
    page = compared(open_sheet, 3)

    page.keyboard.press("Delete")
    assert page.locator("#compare .pane").count() == 2
    page.keyboard.press("Delete")
    page.wait_for_selector("#compare", state="hidden")
    assert page.locator("#tray img").count() == 1


def test_a_comparison_is_in_the_address(open_sheet: Any, open_page: Any, tmp_path: Path) -> None:
    page = compared(open_sheet)

    other = open_page(tmp_path / "sheet" / "index.html", page.url[page.url.index("#") :])

    assert other.locator("#compare .pane").count() == 2
