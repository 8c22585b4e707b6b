"""Texts that came from elsewhere are shown as text: no script, no dialog, no request, whatever they look like."""

from __future__ import annotations

from typing import Any

import pytest
from make_sheet import HOSTILE, hostile


def test_there_are_sixty_hostile_texts() -> None:
    assert len(set(HOSTILE)) >= 60


def test_hostile_texts_appear_as_text_in_the_cells(open_sheet: Any) -> None:
    page = open_sheet(hostile(), "#caption=prompt&caption=coordinates&size=64", height=2600)
    page.wait_for_timeout(300)  # time for a script that should not be there

    captions = page.locator(".cell").evaluate_all(
        "(cells) => cells.map((cell) => cell.querySelectorAll('.caption')[1].textContent)"
    )
    reasons = page.locator(".gone .why").evaluate_all("(all) => all.map((why) => why.textContent)")

    assert captions == list(HOSTILE)
    assert reasons == [text for number, text in enumerate(HOSTILE) if number % 3 == 0]


def test_hostile_texts_appear_as_text_beside_the_picture(open_sheet: Any) -> None:
    page = open_sheet(hostile(), "#open=none")
    page.locator("#grid").focus()
    page.keyboard.press("Enter")

    for text in HOSTILE:
        side = page.locator("#lightbox .side")
        assert side.locator("section:has(> h3:text-is('Prompt')) p").evaluate("(p) => p.textContent") == text
        assert (
            side.locator("section:has(> h3:text-is('Final prompt')) p").evaluate("(p) => p.textContent")
            == f"final {text}"
        )
        page.keyboard.press("PageDown")


def test_hostile_texts_do_not_become_elements_or_handlers(open_sheet: Any) -> None:
    page = open_sheet(hostile())
    page.locator("#filter-button").click()
    page.get_by_role("button", name="Filter").focus()
    for key in ("c", "ArrowRight", "c", "v"):
        page.locator("#grid").focus()
        page.keyboard.press(key)

    found = page.evaluate(
        """() => [...document.querySelectorAll('*')].filter((element) =>
            ['IFRAME', 'OBJECT', 'FORM', 'BASE', 'EMBED', 'MATH'].includes(element.tagName)
            || [...element.attributes].some((attribute) => attribute.name.startsWith('on'))
            || (element.tagName === 'SCRIPT' && element.parentElement !== document.body))
            .map((element) => element.outerHTML.slice(0, 200))"""
    )

    assert found == []
    assert page.locator("script").count() == 2


@pytest.mark.parametrize(
    "path",
    [
        "javascript:alert(1)",
        "//evil.example/x.png",
        "/etc/passwd",
        "https://evil.example/x",
        "a?b#c.png",
        "%2e%2e/x",
        "data:text/html,x",
        "\\\\evil.example\\x",
    ],
)
def test_a_path_stays_a_path_below_the_page(path: str, open_sheet: Any) -> None:
    page = open_sheet(hostile())

    address = page.evaluate("(path) => new URL(data.address(path), location.href).href", path)
    folder = page.url.rsplit("/", 1)[0]

    assert address.startswith(f"{folder}/")
    assert page.evaluate("(address) => decodeURIComponent(new URL(address).pathname)", address).endswith(path)


def test_a_hostile_address_changes_nothing_but_the_view(open_sheet: Any) -> None:
    address = (
        "#x=<img src=x onerror=alert(1)>&rows=__proto__&only.text=<script>&open=constructor&compare=toString&with=zzz"
        "&size=1e9&mark=9&sort=axis __proto__&group=axis __proto__&state=<b>&find=<b>"
    )
    page = open_sheet(hostile(), address)

    assert page.locator(".chip").count() > 0
    page.get_by_role("button", name="Clear all", exact=True).click()
    assert page.locator(".cell").count() > 0


def test_the_policy_refuses_a_script_that_is_not_ours(context: Any, tmp_path: Any) -> None:
    page_file = hostile().write(tmp_path / "sheet", faces=1)
    foul = page_file.read_text(encoding="utf-8").replace(
        "</body>", "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\"></body>"
    )
    page_file.write_text(foul, encoding="utf-8")
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-ready]")

    assert page.title() != "taken"
    assert any("Content Security Policy" in text for text in said)


def test_no_address_outside_is_reached_even_when_a_script_asks(context: Any, tmp_path: Any) -> None:
    page_file = hostile().write(tmp_path / "sheet", faces=1)
    page = context.new_page()
    page.goto(page_file.as_uri())

    answer = page.evaluate("() => fetch('http://127.0.0.1:9/').then(() => 'reached', (fault) => String(fault))")

    assert answer.startswith("TypeError")
