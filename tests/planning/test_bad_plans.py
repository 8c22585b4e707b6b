"""What a job that cannot be planned is told: rows B61 to B94 of the matrix, with code, exit code and place."""

# ruff: noqa: E501  # the cases are a table, one a line

from __future__ import annotations

from pathlib import Path

import pytest
from planned import exit_code_of, plan_text, problems_of

from flux2batch.errors import InvalidInput
from flux2batch.reading.problems import Problem

# The job begins at line 2 of the file: line 1 is the version of the language.
CASES = [
    # name, job, code, exit code, line:column, words of the message, words of the help
    ("B61", 'prompt: "a {{ subjct }} boat"\nsweep: {subject: [a, b]}', "FB301", 3, "2:15", "'subjct'", "'subject'"),
    ("B61 in a parameter", 'prompt: a boat\nparams: {seed: "{{ sed }}"}', "FB301", 3, "3:20", "'sed'", "'seed'"),
    ("B61 in a path", 'prompt: a boat\noutput: {path: "{{ nme }}"}', "FB301", 3, "3:20", "'nme'", None),
    ("B61 in where", 'prompt: "{{ a }}"\nsweep: {a: 1..2}\nexclude: [{where: "b > 1"}]', "FB301", 3, "4:20", "'b'", None),
    ("B62", 'prompt: "a {{ c boat"\nsweep: {c: [a, b]}', "FB302", 3, "2", "", None),
    ("B66", 'prompt: "{{ c + 1 }}"\nsweep: {c: [a, b]}', "FB305", 3, "2", "", None),
    ("B68", 'prompt: "a {c} boat"\nsweep: {c: [a]}', "FB307", 0, "2:12", "'{c}'", "{{ c }}"),
    ("B69", "prompt: a boat\nsweep: {colour: [a, b, c, d, e]}", "FB308", 3, "3:9", "5 identical requests", "share"),
    ("B69 a constant", "prompt: a boat\nvars: {brand: blue}", "FB308", 0, "3:8", "'brand'", None),
    ("B70", 'prompt: "{{ a }}"\nsweep: {a: 1..1000, seed: 1..1000000}', "FB605", 4, "3:21", "1,000,000,000 shots", "--max-shots"),
    ("B70 repeat", "prompt: a boat\nrepeat: 1000000000", "FB605", 4, "3", "1,000,000,000 shots", "--max-shots"),
    ("B71", 'prompt: "{{ color }}"\nsweep: {color: []}', "FB309", 3, "3:16", "axis 'color' is empty", None),
    ("B72 no list", 'prompt: "{{ a }}"\nsweep: {a: 5}', "FB205", 3, "3:12", "must be a list", "[5]"),
    ("B72 a list in a list", 'prompt: "{{ a }}"\nsweep: {a: [[1, 2]]}', "FB205", 3, "3:13", "got a list", "needs a name"),
    ("B72 nothing in a list", 'prompt: "{{ a }}"\nsweep: {a: [1, null]}', "FB207", 3, "3:16", "has no value", "leave it out"),
    ("B73", 'prompt: "{{ a }}{{ b }}"\nzip: [{a: [1, 2, 3], b: [1, 2, 3, 4]}]', "FB310", 3, "3:22", "4", None),
    ("B74 backwards", 'prompt: "{{ a }}"\nsweep: {a: 1..0}', "FB311", 3, "3:12", "1 to 0", "0..1"),
    ("B74 step 0", 'prompt: "{{ a }}"\nsweep: {a: 1..5 step 0}', "FB311", 3, "3:12", "steps of 0", "step 1"),
    ("B74 no range", 'prompt: "{{ a }}"\nsweep: {a: 1..five}', "FB311", 3, "3:12", "not a range", None),
    ("B75 exclude", 'prompt: "{{ a }}"\nsweep: {a: [1, 2]}\nexclude: [{a: 3}]', "FB312", 3, "4:15", "no value '3'", "1, 2"),
    ("B75 near", 'prompt: "{{ a }}"\nsweep: {a: [red, blue]}\nexclude: [{a: reed}]', "FB312", 3, "4:15", "'reed'", "'red'"),
    ("B75 where", 'prompt: "{{ a }}"\nsweep: {a: [1, 2]}\nexclude: [{where: "a > 2"}]', "FB312", 3, "4:11", "nothing", "1, 2"),
    ("B75 never both", 'prompt: "{{ a }}{{ b }}"\nzip: [{a: [1, 2], b: [3, 4]}]\nexclude: [{a: 1, b: 4}]', "FB312", 3, "4:11", "nothing", None),
    ("B75 override", 'prompt: "{{ a }}"\nsweep: {a: [1, 2]}\noverride: [{match: {a: 9}, repeat: 2}]', "FB312", 3, "4:24", "'9'", None),
    ("B75 include", 'prompt: "{{ a }}{{ b }}"\nsweep: {a: [1, 2], b: [3]}\ninclude: [{a: 1}]', "FB312", 3, "4:11", "leaves out 'b'", None),
    ("B75 include object", 'prompt: "{{ a }}"\nsweep: {a: [{id: fox}, {id: cat}]}\ninclude: [{a: fo}]', "FB312", 3, "4:15", "'fo'", "'fox'"),
    ("B78", 'prompt: "{{ a }}"\nvars: {a: "{{ b }}", b: "{{ a }}"}', "FB315", 3, "3", "a → b → a", None),
    ("B78 parameters", 'model: bfl/flux-2-flex\nprompt: x\nparams: {steps: "{{ guidance }}", guidance: "{{ steps }}"}', "FB315", 3, "4", "→", None),
    ("B79", 'prompt: "{{ c }}"\nsweep: {c: [red, {id: rouge, value: red}]}', "FB606", 3, "3:9", "shots 1 and 2 are identical", "equal: share"),
    ("equal ids", 'prompt: "{{ c }}"\nsweep: {c: ["a!", "a?"]}', "FB317", 3, "3:19", "'a'", None),
    ("two setters", 'model: bfl/flux-2-flex\nprompt: "{{ a }}"\nsweep: {guidance: [2, 3], a: [{id: x, set: {guidance: 4}}]}', "FB208", 3, "4:45", "both set 'guidance'", None),
    ("two sizes", "prompt: x\nsweep: {size: [512x512], width: [512, 768]}", "FB208", 3, "3:26", "both set 'width'", None),
    ("override of an axis", 'model: bfl/flux-2-flex\nprompt: x\nsweep: {guidance: [2, 3]}\noverride: [{match: {guidance: 2}, set: {guidance: 4}}]', "FB208", 3, "5:41", "axis 'guidance'", None),
    ("no such table", 'prompt: "{{ a }}"\nsweep: {a: data.products}', "FB301", 3, "3:12", "'data.products'", None),
    ("empty prompt", "prompt: \"{{ a.text }}\"\nsweep: {a: [{id: x, text: ' '}]}", "FB209", 3, "2", "empty", None),
    ("B90", 'prompt: "{{ a }}"\nsweep: {a: [1, 2]}\noutput: {path: a}', "FB501", 3, "4:16", "shots 1 and 2 both write 'a.png'", "{{ a }}"),
    ("B91 parent", 'prompt: "{{ a }}"\nsweep: {a: [1, 2]}\noutput: {path: "../{{ a }}"}', "FB704", 4, "4:16", "'../1'", None),
    ("B91 absolute", "prompt: x\noutput: {path: /tmp/x}", "FB704", 4, "3:16", "'/tmp/x'", None),
    ("B91 between", 'prompt: x\noutput: {path: "a/../../b"}', "FB704", 4, "3:16", "leads out", None),
    ("B92 device", "prompt: x\noutput: {path: con/x}", "FB502", 3, "3:16", "'con' is a device", None),
    ("B92 colon", 'prompt: x\noutput: {path: "ab:c"}', "FB502", 3, "3:16", "'ab:c'", None),
    ("B92 dot", "prompt: x\noutput: {path: a./b}", "FB502", 3, "3:16", "'a.'", None),
    ("B92 minus", 'prompt: x\noutput: {path: "-rf"}', "FB502", 3, "3:16", "'-rf'", None),
    ("B92 long", f'prompt: x\noutput: {{path: "{"🦊" * 75}"}}', "FB502", 3, "3:16", "300 bytes", None),
    ("B92 capitals", 'prompt: "{{ a }}"\nsweep: {a: [{id: Fox}, {id: fox}]}\noutput: {path: "{{ a.id }}"}', "FB502", 3, "4:16", "'Fox.png' and 'fox.png'", None),
    ("B92 our own folder", "prompt: x\noutput: {path: earlier/x}", "FB502", 3, "3:16", "'earlier'", None),
    ("B93", "prompt: x\noutput: {path: x.jpg}", "FB503", 3, "3:16", "'.jpg'", "jpeg"),
    ("model", "model: bfl/flux-2-prow\nprompt: x", "FB203", 3, "2:8", "", "bfl/flux-2-pro"),
    ("steps on pro", "model: bfl/flux-2-pro\nprompt: x\nparams: {steps: 30}", "FB602", 3, "4:10", "'steps'", "bfl/flux-2-flex"),
    ("guidance 12", "model: bfl/flux-2-flex\nprompt: x\nsweep: {guidance: [2, 12]}", "FB204", 3, "4:23", "1.5 to 10, got 12", None),
    ("width 1000", "prompt: x\nparams: {width: 1000, height: 768}", "FB204", 3, "3:17", "multiple of 16, got 1000", "992 or 1008"),
    ("2560x2560", "prompt: x\nparams: {size: 2560x2560}", "FB601", 3, "3:16", "MP", "2048x2048"),
    ("seed", "prompt: x\nsweep: {seed: [1, -1]}", "FB204", 3, "3:19", "-1", None),
    ("a device's name", "name: CON\nprompt: x", "FB212", 3, "2:7", "'CON' is a device of Windows", "name: CON_"),
    ("a name with a dot", "name: boats.\nprompt: x", "FB212", 3, "2:7", "ends with a dot", "name: boats"),
    ("a name too long", f"name: {'狐' * 90}\nprompt: x", "FB212", 3, "2:7", "270 bytes", "name: 狐"),
    ("a warning that never comes", "prompt: x\nbudget: {max_usd: 5, warn_usd: 8}", "FB204", 0, "3:32", "never warns", "exchange"),
    ("B95", "prompt: x\nsweep: {seed: 1..100}\nbudget: {max_usd: 1.00}", "FB610", 4, "4:19", "100 new shots cost up to $3.00, the budget is $1.00", "33 of them fit: run --up-to-budget"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("job", "code", "exit_code", "place", "message", "help"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_mistake_gets_its_code_its_place_and_a_way_out(
    tmp_path: Path, job: str, code: str, exit_code: int, place: str, message: str, help: str | None
) -> None:
    problems = problems_of(tmp_path, job + "\n")

    problem = next((p for p in problems if p.code == code), None)
    assert problem is not None, [p.headline for p in problems]
    assert _place(problem).startswith(place), _place(problem)
    assert message in problem.message
    assert help is None or help in (problem.help or "")
    assert exit_code_of(tmp_path, job + "\n") == exit_code


OF_SPREADSHEETS = "sku,Artikel-Nr,Größe in cm,Preis/Stück,Kunde's-Nr\nm1,4711,20,5,6\n"
BRACKETS = [
    ("product.Artikel-Nr", "a column with a hyphen in its name is written product['Artikel-Nr']"),
    ("product.artikel-nr", "a column with a hyphen in its name is written product['Artikel-Nr']"),
    ("product.Größe in cm", "a column with a space in its name is written product['Größe in cm']"),
    ("product.Größe cm", "a column with a space in its name is written product['Größe cm']"),
    ("product.Preis/Stück", "a column with such a sign in its name is written product['Preis/Stück']"),
    ("copy['m1'].Artikel-Nr", "a column with a hyphen in its name is written …['Artikel-Nr']"),
    ("product.Artikel-Name", "a column with a hyphen in its name is written product['Artikel-Name']"),
    ("product.sku-prodct", "did you mean 'product'?"),
    ("product.sku - Nr", "the job's own names are product, seed, copy"),
    ("Artikel-Nr", "the job's own names are product, seed, copy"),
]


@pytest.mark.parametrize(("written", "help"), BRACKETS)
@pytest.mark.parametrize(
    "rest",
    [
        'prompt: "a {{ WRITTEN }}"',
        'prompt: a boat\noutput: {path: "{{ WRITTEN }}"}',
        'prompt: a boat\nexclude: [{where: "WRITTEN == 1"}]',
    ],
    ids=["prompt", "path", "where"],
)
def test_a_column_that_cannot_stand_behind_a_dot_is_written_in_brackets(
    tmp_path: Path, rest: str, written: str, help: str
) -> None:
    (tmp_path / "t.csv").write_text(OF_SPREADSHEETS, encoding="utf-8")
    axes = "sweep: {product: data.copy, seed: [1]}\ndata: {copy: {file: t.csv, key: sku}}\n"

    problems = problems_of(tmp_path, axes + rest.replace("WRITTEN", written) + "\n")

    assert help in [problem.help for problem in problems]


def test_a_flag_is_told_the_same(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(OF_SPREADSHEETS, encoding="utf-8")
    job = 'prompt: "a {{ product.sku }}"\nsweep: {product: data.t}\ndata: {t: {file: t.csv, key: sku}}\n'

    with pytest.raises(InvalidInput) as refused:
        list(plan_text(tmp_path, job).only("product.Artikel-Nr == 4711"))

    assert [problem.help for problem in refused.value.problems] == [BRACKETS[0][1]]


def test_a_filter_of_rows_says_which_columns_it_cannot_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(OF_SPREADSHEETS, encoding="utf-8")
    job = 'prompt: "a {{ t[0].sku }}"\ndata: {t: {file: t.csv, rows: "Artikel-Nr == 4711"}}\n'

    said = {problem.help for problem in problems_of(tmp_path, job)}

    assert said == {
        "a filter of rows cannot name the column 'Artikel-Nr': in the table, give it a name of letters and _"
    }


def test_what_is_undefined_for_some_shots_says_which_is_the_first(tmp_path: Path) -> None:
    text = 'prompt: "a {{ c.text }} boat, {{ s }}"\nsweep: {c: [{id: red, text: r}, {id: blue}], s: 1..3}\n'

    (problem,) = problems_of(tmp_path, text)

    assert problem.code == "FB301"
    assert [note.text for note in problem.notes] == ["in sweep item 4 (c=blue, s=1) and 2 more shots"]


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = (
        'model: bfl/flux-2-pro\nprompt: "a {{ subjct }} boat"\nsweep: {subject: [a, b], light: [x, y]}\n'
        'exclude: [{subject: c}]\noutput: {path: "{{ nme }}"}\n'
    )

    assert [problem.code for problem in problems_of(tmp_path, text)] == ["FB301", "FB312", "FB301"]


def test_both_sides_of_two_equal_paths_are_named(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, 'prompt: "{{ a }}"\nsweep: {a: 1..12}\noutput: {path: "p"}\n')

    assert [note.text for note in problem.notes] == ["sweep item 1 (a=1)", "sweep item 2 (a=2)"]


def test_many_equal_shots_are_named_in_part(tmp_path: Path) -> None:
    text = 'prompt: "{{ a }}"\nsweep: {a: 1..20, b: [x, y]}\ndraw: {p: [one]}\noutput: {path: "{{ index }}"}\n'

    problems = problems_of(tmp_path, text)

    assert [problem.code for problem in problems].count("FB606") == 11
    assert any("10 more" in problem.message for problem in problems)


def test_a_picture_that_a_row_names_is_missing_in_its_line(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("sku,image\nmug,mug.png\ncap,refs/cap.png\n", encoding="utf-8")
    text = (
        'data: {products: {file: p.csv, key: sku}}\nprompt: "{{ product.sku }} {{ seed }}"\nparams: {size: 512x512}\n'
        'references: {pack: "{{ product.image }}"}\nsweep: {product: data.products, seed: 1..2}\n'
    )

    problems = problems_of(tmp_path, text)

    assert [(p.code, p.where.file, p.where.line) for p in problems if p.where] == [
        ("FB401", "p.csv", 2),
        ("FB401", "p.csv", 3),
    ]
    assert problems[1].message.startswith("p.csv:3 (sku cap): no such file 'refs/cap.png'")
    assert [note.text for note in problems[1].notes][-1] == "in sweep item 3 (product=cap, seed=1) and one more shot"


def test_a_missing_translation_is_one_problem_with_the_number_of_its_shots(tmp_path: Path) -> None:
    (tmp_path / "copy.csv").write_text("sku,locale,headline\nmug,en,Hello\nmug,de,\n", encoding="utf-8")
    text = (
        "data: {copy: {file: copy.csv, key: [sku, locale]}}\nprompt: \"{{ copy['mug', locale].headline }}\"\n"
        "sweep: {locale: [en, de], seed: 1..5}\n"
    )

    (problem,) = problems_of(tmp_path, text)

    assert "copy.csv:3" in problem.message
    assert [note.text for note in problem.notes] == ["in sweep item 6 (locale=de, seed=1) and 4 more shots"]


@pytest.mark.parametrize(
    "params", ['{seed: "{{ product.seed }}"}', '{size: {exact: "{{ product.seed }}"}}', '{size: "{{ product.seed }}"}']
)
def test_a_parameter_from_an_empty_cell_names_the_cell(tmp_path: Path, params: str) -> None:
    (tmp_path / "p.csv").write_text("sku,seed\nmug,512x512\ncap,\n".replace("512x512", "7"), encoding="utf-8")
    text = (
        f"data: {{products: {{file: p.csv, key: sku}}}}\nprompt: {{{{ product.sku }}}}\nparams: {params}\n"
        "sweep: {product: data.products}\n"
    ).replace("prompt: {{ product.sku }}", 'prompt: "{{ product.sku }}"')

    problems = [problem for problem in problems_of(tmp_path, text) if problem.code == "FB316"]

    assert [problem.message for problem in problems] == ["p.csv:3 (sku cap): seed is empty"]
    assert "default(" in (problems[0].help or "")
    assert [note.text for note in problems[0].notes] == ["in sweep item 2 (product=cap)"]


def test_a_template_that_works_too_much_is_not_rendered_for_every_shot(tmp_path: Path) -> None:
    numbers = ", ".join(map(str, range(400)))
    text = (
        f"vars: {{n: [{numbers}]}}\n"
        'prompt: "{% for a in n %}{% for b in n %}{{ s }}{% endfor %}{% endfor %}"\nsweep: {s: 1..5000}\n'
    )

    (problem,) = problems_of(tmp_path, text)

    assert problem.code == "FB306"
    assert "19 more shots" in problem.notes[-1].text


def test_a_budget_that_warns_does_not_stop_a_plan(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, "prompt: x\nsweep: {seed: 1..10}\nbudget: {warn_usd: 0.10}\n")

    assert [warning.code for warning in plan.warnings] == ["FB610"]


def _place(problem: Problem) -> str:
    return f"{problem.where.line}:{problem.where.column}" if problem.where else ""
