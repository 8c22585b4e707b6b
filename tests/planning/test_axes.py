"""Every way of writing an axis, and the ids that its values get."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planned import plan_data, plan_text, points, problems_of

from flux2batch.planning.sweep.chance import draw_numbers
from flux2batch.planning.sweep.ranges import NumberRange, read_range

PROMPT = 'prompt: "a boat {{ a }}"\n'


def ids_on(folder: Path, axis: str) -> list[str]:
    return [point[0] for point in points(plan_text(folder, f"{PROMPT}sweep:\n  a: {axis}\n"))]


@pytest.mark.parametrize(
    ("axis", "ids"),
    [
        ("[20, 35, 50]", "20 35 50"),
        ("[5, 10, 20..50 step 10]", "5 10 20 30 40 50"),
        ("1..5", "1 2 3 4 5"),
        ("2..8 step 2", "2 4 6 8"),
        ("1..6 step 2", "1 3 5"),
        ("5..1 step -2", "5 3 1"),
        ("3..3", "3"),
        ("2.0..5.0 step 1.0", "2.0 3.0 4.0 5.0"),
        ("1.5..6 count 4", "1.5 3.0 4.5 6.0"),
        ("0..1 step 0.1", "0.0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1.0"),
        ("-1..1", "-1 0 1"),
        ("0..1 count 4", "0.000000 0.333333 0.666667 1.000000"),
        ("4#1000", "1000 1001 1002 1003"),
        ("{range: 1..3}", "1 2 3"),
        ('{range: "1..3"}', "1 2 3"),
        ('["1..3", 7]', "1..3 7"),
        ("[1.50, 2]", "1.50 2"),
        ("[true, false]", "true false"),
        ("[blue, '#FF5733 coral']", "blue ff5733-coral"),
        ("[青い鳥, ελληνικά, हिन्दी]", "青い鳥 ελληνικά हिन्दी"),
        ("[{id: warm, text: a}, {value: cold}]", "warm cold"),
    ],
)
def test_an_axis_has_the_values_that_are_written(tmp_path: Path, axis: str, ids: str) -> None:
    assert ids_on(tmp_path, axis) == ids.split()


def test_a_number_is_sent_as_a_number_and_named_as_it_is_written(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, "model: bfl/flux-2-flex\nprompt: a boat\nsweep: {guidance: 2.0..3.0 step 0.5}\n")

    shots = list(plan)

    assert [shot.params["guidance"] for shot in shots] == [2.0, 2.5, 3.0]
    assert [shot.coordinates["guidance"].id for shot in shots] == ["2.0", "2.5", "3.0"]


def test_long_and_empty_slugs_end_with_a_part_of_their_hash(tmp_path: Path) -> None:
    long, empty = ids_on(tmp_path, f"['{'word ' * 30}', '!!!']")

    assert len(long) <= 40
    assert long.startswith("word-word-")
    assert len(empty) == 4


def test_the_lines_of_a_file_are_values_and_never_ranges(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\ufeffan old man\n\n  a child  \n1..5\n", encoding="utf-8")

    assert ids_on(tmp_path, "{file: list.txt}") == ["an-old-man", "a-child", "1..5"]


def test_files_are_values_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "looks").mkdir()
    for name in ("b.png", "a.png", "c.txt"):
        (tmp_path / "looks" / name).touch()

    assert ids_on(tmp_path, "{glob: looks/*.png}") == ["looks-a.png", "looks-b.png"]


def test_the_rows_of_a_table_are_values_with_their_key_as_id(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("sku,name,label\nm-1,mug,Mug\nc-2,cap,Cap\n", encoding="utf-8")

    plan = plan_text(
        tmp_path,
        'data: {products: {file: p.csv, key: sku}}\nprompt: "{{ a.name }} {{ a.label }} {{ a.id }}"\n'
        "sweep: {a: data.products}\n",
    )

    assert [shot.prompt for shot in plan] == ["mug Mug m-1", "cap Cap c-2"]
    assert points(plan) == [("m-1",), ("c-2",)]


def test_random_values_are_the_same_everywhere(tmp_path: Path) -> None:
    whole = ids_on(tmp_path, "{random: [1, 1000], count: 6, seed: 1}")
    decimal = ids_on(tmp_path, "{random: [2.0, 6], count: 3, seed: 1}")

    assert whole == ["586", "971", "172", "968", "51", "711"]
    assert all("." in id for id in decimal)
    assert all(2 <= Decimal(id) <= 6 for id in decimal)
    assert whole[:3] == ids_on(tmp_path, "{random: [1, 1000], count: 3, seed: 1}")


def test_a_draw_of_more_numbers_than_there_are_says_so(tmp_path: Path) -> None:
    text = f"{PROMPT}sweep: {{a: {{random: [2, 6], count: 8, seed: 1}}}}\n"

    (warning,) = problems_of(tmp_path, text)

    assert (warning.code, warning.severity) == ("FB311", "warning")
    assert sorted(ids_on(tmp_path, "{random: [2, 6], count: 8, seed: 1}")) == ["2", "3", "4", "5", "6"]


def test_in_python_data_a_text_is_never_a_range(tmp_path: Path) -> None:
    plan = plan_data(tmp_path, prompt="{{ a }}", sweep={"a": ["1..5", {"range": "1..2"}]})

    assert [shot.prompt for shot in plan] == ["1..5", "1", "2"]


def test_a_value_object_sets_its_value_and_what_moves_with_it(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path,
        "prompt: a boat\nsweep:\n  model:\n    - bfl/flux-2-pro\n"
        "    - {id: flex-g6, value: bfl/flux-2-flex, set: {guidance: 6}}\n"
        "    - {id: flex-g3, value: bfl/flux-2-flex, set: {guidance: 3}}\n",
    )

    assert [(shot.model, shot.params.get("guidance")) for shot in plan] == [
        ("bfl/flux-2-pro", None),
        ("bfl/flux-2-flex", 6),
        ("bfl/flux-2-flex", 3),
    ]
    assert [shot.paths for shot in plan] == [("bfl-flux-2-pro.png",), ("flex-g6.png",), ("flex-g3.png",)]


def test_a_conditional_axis_has_one_value_where_its_condition_is_false(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path,
        "prompt: a boat\nsweep:\n  model: [bfl/flux-2-pro, bfl/flux-2-flex]\n"
        "  guidance: {values: 2..4, when: \"model == 'bfl/flux-2-flex'\"}\n",
    )

    assert points(plan) == [
        ("bfl-flux-2-pro", "none"),
        ("bfl-flux-2-flex", "2"),
        ("bfl-flux-2-flex", "3"),
        ("bfl-flux-2-flex", "4"),
    ]
    assert "guidance" not in next(iter(plan)).params


def test_an_axis_called_prompt_holds_templates(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path,
        'sweep:\n  prompt: ["a {{ colour }} boat", {id: sea, value: "a {{ colour }} sea"}]\n  colour: [red, blue]\n',
    )

    assert [shot.prompt for shot in plan] == ["a red boat", "a blue boat", "a red sea", "a blue sea"]


def test_other_parameters_are_swept_by_their_full_name(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path,
        "model: fal/flux-2\nprompt: a boat\nsweep: {params.safety_checker: [true, false]}\n"
        'output: {path: "{{ safety_checker }}"}\n',
    )

    assert [(shot.params["safety_checker"], shot.paths) for shot in plan] == [
        (True, ("true.png",)),
        (False, ("false.png",)),
    ]


def test_a_range_of_a_billion_is_counted_and_not_written_out() -> None:
    numbers = read_range("1..1000000000")

    assert isinstance(numbers, NumberRange)
    assert numbers.count == 10**9
    assert numbers.written(999_999_999) == "1000000000"


@given(start=st.decimals(-50, 50, places=2), step=st.decimals("0.01", 5, places=2), count=st.integers(2, 60))
def test_ranges_are_inclusive_and_exact(start: Decimal, step: Decimal, count: int) -> None:
    end = start + step * (count - 1)

    stepped, counted = read_range(f"{start}..{end} step {step}"), read_range(f"{start}..{end} count {count}")

    assert isinstance(stepped, NumberRange)
    assert isinstance(counted, NumberRange)
    expected = [Fraction(start) + index * Fraction(step) for index in range(count)]
    assert [Fraction(number) for number in stepped] == expected
    assert [Fraction(number) for number in counted] == expected


@given(st.integers(-1000, 1000), st.integers(0, 200), st.integers(0, 2**32))
def test_a_draw_without_end_gives_every_number_once(low: int, width: int, seed: int) -> None:
    drawn = list(draw_numbers(str(low), str(low + width), seed=seed))

    assert sorted(map(int, drawn)) == list(range(low, low + width + 1))
