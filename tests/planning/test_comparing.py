"""Two plans held against each other: new, gone and changed shots, the reasons, and the difference in cost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from planned import plan_text

from flux2batch.money import usd
from flux2batch.planning.comparing import Difference, compare, new_values
from flux2batch.planning.models.catalogue import entry, identifying
from flux2batch.planning.plan import row_of
from flux2batch.planning.plan_line import PlanLine, line_of

BOATS = 'prompt: "a {{ colour }} boat"\nmodel: bfl/flux-2-flex\nsweep: {colour: [red, blue], seed: 1..2}\n'


def lines(folder: Path, text: str) -> list[PlanLine]:
    return [line_of(row_of(shot)) for shot in plan_text(folder, text)]


def _identifying(model: str, params: Any) -> Any:
    known = entry(model)
    assert known is not None
    return identifying(known, params)


def difference(folder: Path, before: str, after: str) -> Difference:
    return compare(lines(folder, before), lines(folder, after), identifying=_identifying)


def why(found: Difference) -> set[tuple[tuple[str, Any, Any], ...]]:
    return {tuple((one.input, one.was, one.now) for one in change.reasons) for change in found.changed}


def test_a_plan_against_itself_shows_no_difference(tmp_path: Path) -> None:
    found = difference(tmp_path, BOATS, BOATS)

    assert found.is_none
    assert (found.kept, found.delta) == (4, (0, 0))


def test_a_grown_sweep_has_new_shots_alone_and_they_are_the_whole_cost(tmp_path: Path) -> None:
    found = difference(tmp_path, BOATS, BOATS.replace("1..2", "1..3"))

    assert [line.coordinates["seed"] for line in found.added] == ["3", "3"]
    assert (found.removed, found.changed, found.kept) == ((), (), 4)
    assert found.delta == (Decimal("0.10"), Decimal("0.10"))
    assert (found.to_buy.max, found.to_buy.shots) == (Decimal("0.10"), 2)
    assert new_values(found, lines(tmp_path, BOATS)) == {"seed": {"3": 2}}


def test_a_shrunken_sweep_has_gone_shots_alone(tmp_path: Path) -> None:
    found = difference(tmp_path, BOATS, BOATS.replace("[red, blue]", "[red]"))

    assert [line.coordinates["colour"] for line in found.removed] == ["blue", "blue"]
    assert found.delta == (Decimal("-0.10"), Decimal("-0.10"))
    assert found.to_buy.shots == 0


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (("boat", "ship"), {"prompt"}),
        (("sweep:", "params: {guidance: 4}\nsweep:"), {"guidance"}),
        (("sweep:", "params: {size: 512x512}\nsweep:"), {"size"}),
        (("bfl/flux-2-flex", "bfl/flux-2-pro"), {"model"}),
        (("sweep:", "params: {safety_tolerance: 1, steps: 20}\nsweep:"), {"safety_tolerance", "steps"}),
        (("sweep:", 'references: {sea: {color: "#0047AB"}}\nparams: {size: 1024x1024}\nsweep:'), {"reference sea"}),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else "",
)
def test_a_changed_shot_names_the_inputs_that_changed(
    tmp_path: Path, change: tuple[str, str], reasons: set[str]
) -> None:
    found = difference(tmp_path, BOATS, BOATS.replace(*change))

    assert (found.added, found.removed, len(found.changed)) == ((), (), 4)
    assert {reason.input for change in found.changed for reason in change.reasons} == reasons


def test_a_reason_says_what_it_was_and_what_it_is(tmp_path: Path) -> None:
    before = BOATS.replace("sweep:", "params: {guidance: 2, size: 512x512}\nsweep:")
    after = BOATS.replace("sweep:", "params: {guidance: 4.5, size: 512x768}\nsweep:")

    assert why(difference(tmp_path, before, after)) == {(("size", "512x512", "512x768"), ("guidance", 2, 4.5))}


def test_a_reference_with_other_content_is_told_by_what_is_in_it(tmp_path: Path) -> None:
    job = BOATS + "references: {pack: pack.png}\nparams: {size: 512x512}\n"
    Image.new("RGB", (64, 64), "red").save(tmp_path / "pack.png")
    before = lines(tmp_path, job)
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "pack.png")

    found = compare(before, lines(tmp_path, job), identifying=_identifying)

    ((reason,),) = {change.reasons for change in found.changed}
    assert reason.input == "reference pack"
    assert reason.was != reason.now
    assert str(reason.was).startswith("pack.png (")


def test_references_in_another_order_are_another_request(tmp_path: Path) -> None:
    one, two = 'a: {color: "#111111"}', 'b: {color: "#222222"}'
    job = "prompt: a boat\nparams: {size: 512x512}\nreferences: {%s, %s}\n"

    assert why(difference(tmp_path, job % (one, two), job % (two, one))) == {(("order of references", "a, b", "b, a"),)}


def test_another_path_or_label_costs_nothing(tmp_path: Path) -> None:
    found = difference(tmp_path, BOATS, f'{BOATS}output: {{path: "all/{{{{ colour }}}}-{{{{ seed }}}}"}}\n')

    assert (found.added, found.removed, found.changed) == ((), (), ())
    assert [move.now.path for move in found.moved][:1] == ["all/red-1.png"]
    assert not found.is_none
    assert found.to_buy.max == 0


def test_an_axis_of_one_value_that_is_added_or_renamed_makes_no_new_shots(tmp_path: Path) -> None:
    lit = BOATS.replace("boat", "boat, {{ light }}").replace("sweep: {", "sweep: {light: [dusk], ")
    renamed = lit.replace("light", "mood")

    for before, after in ((BOATS, lit), (lit, renamed.replace("dusk", "dawn"))):
        found = difference(tmp_path, before, after)

        assert (found.added, found.removed) == ((), ())
        assert why(found) >= {(("prompt", found.changed[0].was.prompt, found.changed[0].now.prompt),)}


def test_where_it_is_in_doubt_which_shot_became_which_none_is_called_changed(tmp_path: Path) -> None:
    grown = BOATS.replace("boat", "ship").replace("sweep: {", "sweep: {guidance: [2, 3], ")

    found = difference(tmp_path, BOATS, grown)

    assert (len(found.added), len(found.removed), len(found.changed)) == (8, 4, 0)


def test_a_price_that_is_not_known_makes_the_difference_unknown(tmp_path: Path) -> None:
    row = {**row_of(next(iter(plan_text(tmp_path, BOATS)))), "cost_usd": None}

    assert compare([line_of(row)], lines(tmp_path, BOATS), identifying=_identifying).delta is None


_LINES = st.lists(
    st.builds(
        lambda id, colour, seed, path, cost: PlanLine(
            id=f"{id:032x}",
            model="bfl/flux-2-pro",
            endpoint="/v1/flux-2-pro",
            prompt=f"prompt {id}",
            params={"width": 64, "height": 64, "seed": seed},
            references=(),
            coordinates={"colour": colour, "seed": str(seed)},
            repeat=1,
            paths=(f"{path}.png",),
            cost=(usd(cost), usd(cost)),
        ),
        *(st.integers(0, 12), st.sampled_from("rgb"), st.integers(1, 3), st.integers(0, 8), st.integers(1, 4)),
    ),
    max_size=12,
    unique_by=lambda line: line.id,
)


@given(before=_LINES, after=_LINES)
def test_every_shot_of_either_plan_is_counted_once_and_the_other_way_round_it_is_the_mirror(
    before: list[PlanLine], after: list[PlanLine]
) -> None:
    found = compare(before, after, identifying=_identifying)
    mirrored = compare(after, before, identifying=_identifying)

    assert len(found.added) + len(found.changed) + found.kept == len(after)
    assert len(found.removed) + len(found.changed) + found.kept == len(before)
    assert {line.id for line in found.added} == {line.id for line in mirrored.removed}
    assert {(one.was.id, one.now.id) for one in found.changed} == {(one.now.id, one.was.id) for one in mirrored.changed}
    assert found.delta is not None
    assert mirrored.delta is not None
    assert found.delta[1] == -mirrored.delta[1] == found.after.max - found.before.max


@pytest.mark.parametrize("cost", [3, {}, {"min": "x", "max": 1}, {"min": 0, "max": float("nan")}, {"min": 1}])
def test_a_price_that_somebody_wrote_by_hand_is_not_known(tmp_path: Path, cost: object) -> None:
    row = {**row_of(next(iter(plan_text(tmp_path, BOATS)))), "cost_usd": cost}

    assert line_of(row).cost is None
