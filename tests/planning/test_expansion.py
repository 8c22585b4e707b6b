"""The order in which axes, rules, repeats and draws come into play, and what each of them does to a plan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import product
from math import prod
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planned import by_point, ids, plan_data, plan_text, points, problems_of

from flux2batch.errors import InvalidInput
from flux2batch.planning.sweep.spread import spread

SPECS = Path(__file__).parents[2] / "specs"
BOAT = 'prompt: "a {{ c }} boat, {{ d }}"\n'


def test_the_last_axis_varies_fastest_and_groups_vary_last(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path,
        'prompt: "{{ a }} {{ b }} {{ p }} {{ q }}"\nsweep: {a: [1, 2], b: [x, y]}\n'
        "zip: [{p: [anna, ben], q: [red, green]}]\n",
    )

    assert points(plan) == [(a, b, p, q) for a, b, (p, q) in product("12", "xy", [("anna", "red"), ("ben", "green")])]


def test_a_label_changes_no_id(tmp_path: Path) -> None:
    job = 'prompt: "a {{ c.text }} boat"\nsweep: {c: [{id: %s, label: %s, text: red}]}\n'

    assert ids(plan_text(tmp_path, job % ("a", "A"))) == ids(plan_text(tmp_path, job % ("b", "B")))


def test_the_identical_request_again_is_another_shot(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, "prompt: a boat\nrepeat: {count: 3, seed: same}\n")

    assert {shot.params["seed"] for shot in plan} == {1}
    assert len(set(ids(plan))) == 3
    assert ids(plan)[0] == ids(plan_text(tmp_path, "prompt: a boat\n"))[0]


def test_exclude_takes_points_away_by_value_id_list_and_expression(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path,
        'model: bfl/flux-2-flex\nprompt: "a {{ c.text }} boat"\n'
        "sweep: {c: [{id: red, text: r}, {id: blue, text: b}], steps: [5, 10, 20], guidance: [2.0, 8.0]}\n"
        'exclude: [{c: red, steps: [5.0, 10]}, {steps: 5, where: "guidance > 7"}, '
        "{where: \"c == 'blue' and steps == 20\"}]\n",
    )

    assert points(plan) == [
        ("red", "20", "2.0"),
        ("red", "20", "8.0"),
        ("blue", "5", "2.0"),
        ("blue", "10", "2.0"),
        ("blue", "10", "8.0"),
    ]


def test_include_adds_a_point_behind_the_product(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path,
        f"{BOAT}sweep: {{c: [red, {{id: sky, value: blue}}], d: [day]}}\nexclude: [{{c: red}}]\n"
        "include: [{c: red, d: day}, {c: sky, d: night}]\n",
    )

    assert [shot.prompt for shot in plan] == ["a blue boat, day", "a red boat, day", "a blue boat, night"]


def test_the_stronger_layer_wins_and_of_overrides_the_later(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path,
        'model: bfl/flux-2-flex\nprompt: "a {{ c }} boat"\nparams: {steps: 10, guidance: 2, safety_tolerance: 0}\n'
        "sweep:\n  c: [{id: a}, {id: b, set: {steps: 20}}, {id: c, set: {steps: 30}}]\n"
        "override:\n  - {match: {c: [b, c]}, set: {safety_tolerance: 1}}\n"
        "  - {match: {c: c}, set: {safety_tolerance: 3}}\n",
    )

    assert [(s.params["steps"], s.params["guidance"], s.params["safety_tolerance"]) for s in plan] == [
        (10, 2, 0),
        (20, 2, 1),
        (30, 2, 3),
    ]


def test_a_stronger_size_replaces_a_weaker_one_however_it_is_written(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path,
        'prompt: "a boat {{ f }}"\nparams: {width: 512, height: 768}\n'
        "sweep:\n"
        "  f: [{id: a}, {id: b, set: {size: 1024x1024}}, {id: c, set: {aspect: 16:9, megapixels: 2}}, "
        "{id: d, set: {width: 1024}}]\n",
    )

    assert [(s.params["width"], s.params["height"]) for s in plan] == [
        (512, 768),
        (1024, 1024),
        (1920, 1088),
        (1024, 768),
    ]


def test_an_override_has_its_own_repeat(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path, 'prompt: "a {{ c }} boat"\nsweep: {c: [red, blue]}\noverride: [{match: {c: blue}, repeat: 3}]\n'
    )

    assert [(shot.coordinates["c"].id, shot.repeat, shot.params["seed"]) for shot in plan] == [
        ("red", 1, 1),
        ("blue", 1, 1),
        ("blue", 2, 2),
        ("blue", 3, 3),
    ]


def test_one_seed_for_each_value_of_the_named_axes(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path, f"{BOAT}params: {{seed: {{per: [c]}}}}\nsweep: {{c: [red, blue, green], d: [day, night]}}\n"
    )

    seeds = {point: shot.params["seed"] for point, shot in by_point(plan).items()}

    assert all(seeds[c, "day"] == seeds[c, "night"] for c in ("red", "blue", "green"))
    assert len(set(seeds.values())) == 3


def test_one_seed_for_each_shot(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path, f"{BOAT}params: {{seed: {{derive: shot}}}}\nsweep: {{c: [red, blue], d: [day, night]}}\n"
    )

    assert len({shot.params["seed"] for shot in plan}) == 4


def _draws(folder: Path, lines: list[str], extra: str = "") -> dict[tuple[str, ...], str]:
    (folder / "people.txt").write_text("\n".join(lines), encoding="utf-8")
    plan = plan_text(
        folder,
        'prompt: "{{ passer }} passes a {{ c }} boat"\nsweep: {c: [red, blue, green, grey, pink], seed: 1..40}\n'
        f"draw: {{passer: {{file: people.txt}}}}\n{extra}",
    )
    return {point[:2]: point[2] for point in points(plan)}


def test_a_line_added_to_a_draw_changes_only_the_shots_that_draw_it(tmp_path: Path) -> None:
    before = _draws(tmp_path, ["anna", "ben", "carl"])
    after = _draws(tmp_path, ["dora", "anna", "ben", "carl"])

    changed = {point: after[point] for point in before if before[point] != after[point]}

    assert len(before) == 200
    assert set(changed.values()) == {"dora"}
    assert 20 < len(changed) < 90
    assert min(Counter(before.values()).values()) > 40


def test_a_repeat_draws_what_a_seed_would_draw(tmp_path: Path) -> None:
    job = 'prompt: "{{ p }} and a boat"\ndraw: {p: [anna, ben, carl, dora]}\n'

    assert ids(plan_text(tmp_path, job + "repeat: 6\n")) == ids(plan_text(tmp_path, job + "sweep: {seed: 1..6}\n"))


def test_equal_shots_are_bought_once_and_laid_at_each_path_where_the_job_says_so(tmp_path: Path) -> None:
    (tmp_path / "copy.csv").write_text("locale,words\nde,Hallo\nat,Hallo\nen,Hello\n", encoding="utf-8")
    job = (
        "data: {copy: {file: copy.csv, key: locale}}\nequal: share\n"
        'prompt: "the words {{ copy[locale].words }}"\nsweep: {locale: [de, at, en]}\n'
        'output: {path: "{{ locale }}/card"}\n'
    )

    plan = plan_text(tmp_path, job)

    assert [shot.paths for shot in plan] == [("de/card.png", "at/card.png"), ("en/card.png",)]
    assert [shot.index for shot in plan] == [0, 2]
    assert len(plan) == 2


def test_a_template_sees_parameters_axes_tables_and_constants(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path,
        'name: n\nvars: {brand: paper, line: "{{ brand }} boat"}\nmodel: bfl/flux-2-flex\n'
        'params: {steps: "{{ guidance * 10 }}", size: 512x512}\nsweep: {guidance: [2, 3]}\nrepeat: 2\n'
        'prompt: "{{ line }} {{ guidance.id }} {{ steps }} {{ width }} {{ model }} {{ job.name }} {{ index }} '
        '{{ repeat }} {{ seed }}"\n',
    )

    assert [shot.prompt for shot in plan] == [
        "paper boat 2 20 512 bfl/flux-2-flex n 0 1 1",
        "paper boat 2 20 512 bfl/flux-2-flex n 1 2 2",
        "paper boat 3 30 512 bfl/flux-2-flex n 2 1 1",
        "paper boat 3 30 512 bfl/flux-2-flex n 3 2 2",
    ]


def test_a_structured_prompt_is_sent_as_json_in_its_own_order(tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path,
        'prompt: {scene: "a {{ c }} sea", camera: {lens: "{{ mm }}"}, colors: ["#0047AB", "{{ c }}"]}\n'
        "sweep: {c: [blue], mm: [35, 50]}\n",
    )

    expected = '{"scene": "a blue sea", "camera": {"lens": 35}, "colors": ["#0047AB", "blue"]}'

    assert next(shot.prompt for shot in plan) == expected


def test_data_is_never_a_template(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, "prompt: \"{{ c }} {| # '\"\nsweep: {c: ['{{ 7*7 }}']}\n")

    assert [shot.prompt for shot in plan] == ["{{ 7*7 }} {| # '"]


def test_several_frames_are_one_shot_with_a_path_each(tmp_path: Path) -> None:
    (shot,) = plan_text(tmp_path, "model: fal/flux-2\nprompt: a boat\nparams: {num_images: 3}\n")

    assert shot.paths == ("job-1.png", "job-2.png", "job-3.png")


def test_only_limit_and_sample_choose_without_changing_an_index(tmp_path: Path) -> None:
    experiment = _experiment()

    whole = plan_text(tmp_path, experiment)
    only = plan_text(tmp_path, experiment, only="guidance >= 4 and subject == 'fox'")
    limited = plan_text(tmp_path, experiment, limit=5)
    sampled = plan_text(tmp_path, experiment, sample=6)

    everything = list(whole)
    assert list(only) == [s for s in everything if s.params["guidance"] >= 4 and s.coordinates["subject"].id == "fox"]
    assert list(whole.only("guidance >= 4").only("subject == 'fox'")) == list(only)
    assert list(limited) == everything[:5]
    assert [shot for shot in everything if shot in list(sampled)] == list(sampled)
    assert {s.coordinates["guidance"].id for s in sampled} == {"2.0", "3.0", "4.0", "5.0"}
    assert set(ids(plan_text(tmp_path, experiment, sample=3))) < set(ids(sampled))
    assert len(sampled) == 6


def test_picks_choose_by_id_by_path_and_by_coordinates(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, _experiment())
    first, second, third, *_ = plan
    where = {name: coordinate.id for name, coordinate in third.coordinates.items()}
    picks = [{"shot": first.id}, {"path": second.paths[0]}, {"coordinates": where}]
    (tmp_path / "picks.yaml").write_text(json.dumps(picks), encoding="utf-8")

    assert list(plan_text(tmp_path, _experiment(), picks=tmp_path / "picks.yaml")) == [first, second, third]


def test_shots_are_sent_one_of_each_first(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, _experiment())
    shots = list(plan)

    order = plan.sending_order()

    assert sorted(order) == [shot.index for shot in shots]
    first = [shots[index] for index in order[:6]]
    assert {shot.coordinates["guidance"].id for shot in first} == {"2.0", "3.0", "4.0", "5.0"}
    assert {shot.coordinates["steps"].id for shot in first} == {"20", "35", "50"}


@settings(max_examples=60)
@given(st.lists(st.integers(1, 7), max_size=4))
def test_spread_visits_every_point_once_and_every_axis_in_its_breadth(radices: list[int]) -> None:
    visited = list(spread(radices))

    assert len(visited) == len(set(visited)) == prod(radices)
    for position, length in enumerate(radices):
        longest = max(radices)
        assert {point[position] for point in visited[:longest]} == set(range(length))


names = st.sampled_from(["c", "d", "e", "f"])
axes = st.dictionaries(
    names,
    st.lists(st.sampled_from(["x", "y", "z", "1", "2"]), min_size=1, max_size=3, unique=True),
    min_size=1,
    max_size=3,
)
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(axes)
def test_a_sweep_is_the_product_of_its_axes(tmp_path: Path, axes: dict[str, list[str]]) -> None:
    plan = plan_data(
        tmp_path, prompt=" ".join(f"{{{{ {name} }}}}" for name in axes), sweep=axes, output={"path": "{{ index }}"}
    )

    assert [shot.prompt.split() for shot in plan] == [list(point) for point in product(*axes.values())]


@quick
@given(axes, st.randoms(use_true_random=False))
def test_reordering_axes_permutes_the_shots_and_changes_no_id(
    tmp_path: Path, axes: dict[str, list[str]], random: object
) -> None:
    words = " ".join(f"{name}={{{{ {name} }}}}" for name in sorted(axes))
    shuffled = dict(sorted(axes.items(), key=lambda _: random.random()))

    plans = [
        plan_data(
            tmp_path,
            prompt=words,
            sweep=each,
            draw={"p": ["anna", "ben"]},
            output={"path": "{{ index }} {{ p }}"},
            equal="share",
        )
        for each in (axes, shuffled)
    ]

    assert sorted(ids(plans[0])) == sorted(ids(plans[1]))


@quick
@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True))
def test_a_group_moves_together(tmp_path: Path, values: list[str]) -> None:
    plan = plan_data(
        tmp_path,
        prompt="{{ p }} {{ q }}",
        zip=[{"p": values, "q": list(reversed(values))}],
        output={"path": "{{ index }}"},
    )

    assert [shot.prompt for shot in plan] == [f"{p} {q}" for p, q in zip(values, reversed(values), strict=True)]


@quick
@given(st.integers(1, 60))
def test_any_prefix_of_a_plan_is_the_prefix_of_the_whole(tmp_path: Path, length: int) -> None:
    text = (
        f"{BOAT}sweep: {{c: [a, b, c], d: [x, y], seed: 1..10}}\nexclude: [{{c: a, d: x}}]\n"
        "repeat: {count: 2, seed: same}\n"
    )

    whole = list(plan_text(tmp_path, text))

    assert list(plan_text(tmp_path, text, limit=length)) == whole[:length]


def test_a_plan_can_be_walked_again_and_again(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, _experiment())

    assert list(plan) == list(plan)


def test_a_plan_is_the_same_in_every_process() -> None:
    command = [sys.executable, "-m", "flux2batch", "plan", str(SPECS / "campaign/job.yaml"), "--jsonl"]

    outputs = {
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone, locale in (
            ("0", "UTC", "C"),
            ("1", "Asia/Tokyo", "C.UTF-8"),
            ("12345", "America/Lima", "POSIX"),
        )
    }

    assert len(outputs) == 1


def test_settings_beyond_what_is_remembered_do_not_change_the_plan(tmp_path: Path) -> None:
    text = "model: bfl/flux-2-flex\nprompt: a boat\nsweep: {guidance: 2.0..9.0 step 0.001, steps: [20]}\n"

    plan = plan_text(tmp_path, text, max_shots=10_000)
    guidances = [shot.params["guidance"] for shot in plan]

    assert len(plan) == 7001
    assert guidances[:2] + guidances[-1:] == [2.0, 2.001, 9.0]
    assert plan.totals.cost.max == plan.totals.cost.min == 7001 * next(iter(plan)).quote.max


def test_a_billion_shots_are_refused_before_anything_is_expanded(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        plan_text(tmp_path, 'prompt: "a {{ c }} boat"\nsweep: {c: 1..1000, seed: 1..1000, guidance: 1..1000}\n')

    (problem,) = refused.value.problems
    assert problem.code == "FB605"
    assert "1,000,000,000 shots, and the limit is 10,000: c 1,000 × seed 1,000 × guidance 1,000" in problem.message
    assert refused.value.exit_code == 4


def test_the_limit_counts_what_rules_leave(tmp_path: Path) -> None:
    text = 'prompt: "a boat {{ c }}"\nsweep: {c: 1..100, seed: 1..101}\nexclude: [{where: "c > 50"}]\n'

    assert len(plan_text(tmp_path, text)) == 5050
    assert "FB605" in [p.code for p in problems_of(tmp_path, text, max_shots=5000)]


def _experiment() -> str:
    return (SPECS / "experiment.yaml").read_text(encoding="utf-8").replace("flux2batch: 1\n", "")


@given(order=st.permutations(["width", "height", "guidance", "steps", "safety_tolerance", "seed"]))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_in_which_keys_are_written_changes_nothing(tmp_path: Path, order: list[str]) -> None:
    values = {"width": 512, "height": 768, "guidance": 3, "steps": 20, "safety_tolerance": 1, "seed": 7}
    text = "a {{ c.text }} boat, {{ brand }}"
    value = {"id": "red", "text": "scarlet"}

    plan = plan_data(
        tmp_path,
        model="bfl/flux-2-flex",
        params={name: values[name] for name in order},
        sweep={"c": [dict(reversed(value.items())) if order[0] > order[1] else value]},
        vars={"brand": "blue"},
        prompt=text,
    )

    assert ids(plan) == ["62b1fe23baf317ebcb13850f5be2dbb7"]
