"""Templates and expressions: what they give, byte for byte, and what each mistake in one is answered with."""

# ruff: noqa: E501 - in the tables a line is a case

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux2batch.planning.templating import (
    EmptyCell,
    KeyedTable,
    Refusal,
    Template,
    TemplateFault,
    TemplateFolder,
    ValueObject,
    compile_expression,
    compile_template,
    other_syntax,
    safe_component,
)
from flux2batch.reading import codes


def template(text: str, *, files: dict[str, str] | None = None, kind: Any = "text") -> Template:
    def read(name: str) -> str:
        if name not in (files or {}):
            raise Refusal("FB401", f"no such file 'templates/{name}'")
        return (files or {})[name]

    return compile_template(text, folder=TemplateFolder(read), kind=kind)


def fault_of(text: str, scope: dict[str, Any], files: dict[str, str] | None = None) -> TemplateFault:
    with pytest.raises(TemplateFault) as caught:
        template(text, files=files).render(scope)
    return caught.value


def value_object(value: Any, *, id: str | None = None, **fields: Any) -> ValueObject:
    text = str(value)
    return ValueObject(id=id or text, label=text, value=value, text=text, fields=fields)


MISSING_HEADLINE = EmptyCell("data/copy.csv:9 (sku cap-03, locale de)", "headline")
COPY = KeyedTable(
    name="copy",
    file="data/copy.csv",
    key=("sku", "locale"),
    rows=(
        {"sku": "mug-01", "locale": "de", "headline": "Langsame Morgen"},
        {"sku": "cap-03", "locale": "de", "headline": MISSING_HEADLINE},
    ),
)
SCOPE: dict[str, Any] = {
    "subject": "a red fox",
    "n": 3,
    "half": 0.5,
    "yes": True,
    "nothing": None,
    "names": ["fox", "clock"],
    "product": {"sku": "mug-01", "name": "enamel mug", "items": "I", "keys": "K", "copy": "C", "logo": ""},
    "model": value_object("bfl/flux-2-pro"),
    "guidance": value_object(2.0, id="2.0"),
    "locale": value_object("de"),
    "copy": COPY,
    "ref": lambda name: {"logo": "image 3"}[name],
    "refs": lambda name: f"images 2 and 3 ({name})",
}


RENDERED = [
    # template                                              text
    ("a {{ subject }} asleep",                               "a a red fox asleep"),
    ("{{ n + 2 }} {{ n / 2 }} {{ n // 2 }} {{ 7 % n }}",       "5 1.5 1 1"),
    ("{{ -n }} {{ half * 4 }} {{ n - half }}",                "-3 2.0 2.5"),
    ("{{ 'a' ~ n ~ half }} {{ 'a' + 'b' }}",                  "a30.5 ab"),
    ("{{ yes }} {{ not yes }} {{ nothing }}",                 "true false none"),
    ("{{ guidance }} {{ 0.00001 }} {{ 5.0 }}",                "2.0 0.00001 5.0"),
    ("{{ product.items }}{{ product.keys }}{{ product.copy }}", "IKC"),
    ("{{ product['name'] }}",                                "enamel mug"),
    ("{{ model }} {{ model.id }} {{ model.label }}",          "bfl/flux-2-pro bfl/flux-2-pro bfl/flux-2-pro"),
    ("{{ copy[product.sku, locale].headline }}",             "Langsame Morgen"),
    ("{{ copy['mug-01', 'de'].headline | upper }}",          "LANGSAME MORGEN"),
    ("{{ ref('logo') }} of {{ refs('views') }}",             "image 3 of images 2 and 3 (views)"),
    ("{% if product.logo %}L{% else %}-{% endif %}",         "-"),
    ("{{ 'yes' if n == 3 }}|{{ 'yes' if n == 4 }}",           "yes|"),
    ("{% for x in names %}{{ loop.index }}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}", "1fox, 2clock"),
    ("{% for x in names %}{% for y in names %}{{ x[0] }}{{ y[0] }} {% endfor %}{% endfor %}", "ff fc cf cc "),
    ("{% for row in copy %}{{ row.sku }} {% endfor %}",      "mug-01 cap-03 "),
    ("{{ nope | default('x') }}{{ copy['a', 'b'].headline | default('y') }}", "xy"),
    ("{{ copy['cap-03', 'de'].headline | default('soon') }}", "soon"),
    ("{{ nope is defined }} {{ nothing is none }}",          "false true"),
    ("{{ names[1:] | join }} {{ subject[2:5] }} {{ names[-1] }}", "clock red clock"),
    ("{{ {'de': 'Deutsch'}[locale] }}",                      "Deutsch"),
    ("a {# a comment #}b",                                   "a b"),
    ("{% raw %}{{ x }}{% endraw %}{{ n }}",                   "{{ x }}3"),
    ("  {{- n -}}  ",                                        "3"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), RENDERED)
def test_a_template_renders(text: str, expected: str) -> None:
    assert template(text).render(SCOPE) == expected


FILTERS = [
    # expression                                      value
    ("'MiXed' | upper",                               "MIXED"),
    ("'MiXed' | lower",                               "mixed"),
    ("'a red-brown fox' | title",                     "A Red-Brown Fox"),
    ("'a Red fox' | capitalize",                      "A red fox"),
    ("'  x ' | trim",                                 "x"),
    ("'..x.' | trim('.')",                            "x"),
    ("'aaa' | replace('a', 'b')",                     "bbb"),
    ("'aaa' | replace('a', 'b', 2)",                  "bba"),
    ("names | join(', ')",                            "fox, clock"),
    ("names | first",                                 "fox"),
    ("names | last",                                  "clock"),
    ("names | length",                                2),
    ("'12' | int",                                    12),
    ("'2,9' | int",                                   2),
    ("'ff' | int(base=16)",                           255),
    ("'x' | int(0)",                                  0),
    ("'2,5' | float",                                 2.5),
    ("'-1e3' | float",                                -1000.0),
    ("2.567 | round(2)",                              2.57),
    ("2.1 | round(0, 'ceil')",                        3.0),
    ("(-3) | abs",                                    3),
    ("['b', 'A', 'c'] | sort",                        ["A", "b", "c"]),
    ("[3, 1, 2] | sort(reverse=true)",                [3, 2, 1]),
    ("['b', 'a', 'B'] | unique",                      ["b", "a"]),
    ("names | reverse",                               ["clock", "fox"]),
    ("'abc' | reverse",                               "cba"),
    ("12 | string",                                   "12"),
    ("{'a': ['ü', none, 1.5]} | tojson",               '{"a": ["ü", null, 1.5]}'),
    ("'a long sentence' | truncate(8)",               "a long…"),
    ("'Überfluß & Co.' | slug",                        "überfluß-co"),
    ("'' | default('x', true)",                       "x"),
    ("nothing | default('x')",                        "x"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FILTERS)
def test_a_filter_gives(text: str, expected: Any) -> None:
    assert compile_expression(text).evaluate(SCOPE) == expected


COMPARED = [
    # expression                          true?
    ("5 == 5.0",                          True),
    ("guidance == 2",                     True),
    ("guidance >= 2 and guidance < 3",    True),
    ("model == 'bfl/flux-2-pro'",         True),
    ("locale in ['de', 'fr']",            True),
    ("locale not in ['de', 'fr']",        False),
    ("'red' in subject",                  True),
    ("nothing == 5",                      False),
    ("nothing != 5",                      False),
    ("nothing < 5",                       False),
    ("nothing in [1, 2]",                 False),
    ("nothing not in [1, 2]",             False),
    ("nothing is none",                   True),
    ("'5' == 5",                          True),
    ("'2,5' < 3",                         True),
    ("'abc' == 5",                        False),
    ("yes == true",                       True),
    ("'TRUE' == true",                    True),
    ("1 == true",                         False),
    ("1 < n < 5",                         True),
    ("1 < n < 2",                         False),
    ("copy['cap-03', 'de'].headline == ''", True),
    ("copy['cap-03', 'de'].headline < 5", False),
    ("('mug-01', 'de') in copy",          True),
    ("('mug-01', 'fr') in copy",          False),
    ("n is odd and n is number",          True),
    ("product.logo",                      False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), COMPARED)
def test_an_expression_compares(text: str, expected: bool) -> None:
    assert bool(compile_expression(text).evaluate(SCOPE)) is expected


FAULTS = [
    # row    template                              code     characters       said                                    help
    ("B61", "a {{ subjct }} b",                    "FB301", "subjct",        "unknown variable 'subjct'",            "did you mean 'subject'?"),
    ("B61", "{{ product.nam }}",                   "FB301", "nam",           "no field 'nam' here",                  "did you mean 'name'?"),
    ("B61", "{{ model.nme }}",                     "FB301", "nme",           "no field 'nme' here",                  "its fields: id, label, value"),
    ("B61", "x{% if foo %}y{% endif %}",           "FB301", "foo",           "unknown variable 'foo'",               None),
    ("B62", "a {{ subject } b",                    "FB302", "{{",            "'{{' is never closed",                 "it ends with '}}'"),
    ("B62", "{% if n %}x",                         "FB302", "if",            "'{% endif %}' is missing",             None),
    ("B62", "{% for x in names %}{% if x %}{% endfor %}", "FB302", "endfor", "'endfor' has nothing to end or to continue", None),
    ("B62", "{{ n + }}",                           "FB302", "}}",            "a value is missing here",              None),
    ("B62", "{{ n = 3 }}",                         "FB302", "=",             "unexpected '='",                       "to compare, write =="),
    ("B62", "{{ n ? 1 }}",                         "FB302", "?",             "unexpected '?'",                       None),
    ("B62", "{% fro x in names %}",                "FB302", "fro",           "unknown tag 'fro'",                    "did you mean 'from'?"),
    ("B63", "{{ subject | titel }}",               "FB303", "titel",         "unknown filter 'titel'",               "did you mean 'title'?"),
    ("B63", "{{ n is evn }}",                      "FB303", "evn",           "unknown test 'evn'",                   "did you mean 'even'?"),
    ("B63", "{{ n | round(1, 2, 3) }}",            "FB303", "round",         "wrong arguments for the filter 'round'", "it takes: precision, method"),
    ("B64", "{% set x = 1 %}",                     "FB304", "set",           "'set' cannot be used in job templates", "put constants under vars"),
    ("B64", "{{ subject.upper() }}",               "FB304", "upper",         "'upper' cannot be called",             "write it as a filter: | upper"),
    ("B64", "{{ upper(subject) }}",                "FB304", "upper",         "'upper' cannot be called: only ref, refs and macros can", "upper is a filter: write {{ name | upper }}"),
    ("B64", "{% macro m() %}{% endmacro %}",       "FB304", "macro",         "macros are defined in files of templates/", "then: {% from 'FILE' import NAME %}"),
    ("B64", "{{ n ** 2 }}",                        "FB304", "**",            "the operator '**' cannot be used in job templates", "multiply"),
    ("B64", "{{ n == none }}",                     "FB304", "none",          "a comparison with none is always false", "ask: is none, or: is not none"),
    ("B64", "{{ subject.__class__ }}",             "FB706", "__class__",     "'__class__' reaches for the inside of the program", None),
    ("B64", "{{ product._x }}",                    "FB304", "_x",            "'_x': names that begin with '_' cannot be used in templates", None),
    ("B66", "{{ n + 'x' }}",                       "FB305", "n + 'x'",       "cannot add the number 3 and the text 'x'", "to put texts together, write ~"),
    ("B66", "{{ subject * 2 }}",                   "FB305", "subject * 2",   "'*' needs numbers, got the text 'a red fox'", "write | float behind a text that holds a number"),
    ("B66", "{{ n / 0 }}",                         "FB305", "n / 0",         "division by zero",                     None),
    ("B66", "{{ product }}",                       "FB305", "product",       "a row or mapping cannot stand in a text as it is", "name one of its fields: sku, name, items, keys, copy, logo"),
    ("B66", "{{ names }}",                         "FB305", "names",         "a list cannot stand in a text as it is", "join it: | join(', ')"),
    ("B66", "{{ copy.headline }}",                 "FB305", "headline",      "'copy' is a table: name the row first", "write copy[sku, locale].headline"),
    ("B66", "{{ copy['mug-01'] }}",                "FB305", "copy['mug-01']", "a row of 'copy' is found by sku, locale: 2 values, not 1", "write copy[sku, locale]"),
    ("B66", "{% for x in subject %}{% endfor %}",  "FB305", "for x in subject", "a loop needs a list, got the text 'a red fox'", None),
    ("B66", "{{ subject < 3 }}",                   "FB305", "subject < 3",   "'<' cannot compare the text 'a red fox' with the number 3", None),
    ("B66", "{{ subject | int }}",                 "FB305", "subject | int", "'int' cannot read the text 'a red fox' as a number", "write what stands in for it: | int(0)"),
    ("B67", "{% for a in names %}" * 4 + "{% endfor %}" * 4, "FB306", "for", "more than 3 loops stand inside one another", None),
    ("row", "{{ copy['mug-01', 'fr'].headline }}", "FB316", "copy['mug-01', 'fr'].headline", "no row for sku mug-01, locale fr in data/copy.csv", None),
    ("row", "{{ copy['cap-03', locale].headline }}", "FB316", "copy['cap-03', locale].headline", "data/copy.csv:9 (sku cap-03, locale de): headline is empty", "fill in the cell, or write what stands in for it: | default('…')"),
    ("row", "{{ copy['cap-03', locale].headline | upper }}", "FB316", "copy['cap-03', locale].headline | upper", "data/copy.csv:9 (sku cap-03, locale de): headline is empty", "fill in the cell, or write what stands in for it: | default('…')"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code", "characters", "said", "help"),
    [pytest.param(*rest, id=f"{row}: {rest[0]}") for row, *rest in FAULTS],
)
def test_a_fault_points_at_its_characters(text: str, code: str, characters: str, said: str, help: str | None) -> None:
    fault = fault_of(text, SCOPE)

    assert (fault.code, fault.message, fault.help) == (code, said, help)
    assert text[fault.start : fault.end] == characters
    assert codes.ALL[code].exit_code == (4 if code == "FB706" else 3)


@pytest.mark.parametrize("before", ["", "a\nb\n", "a\r\nb\r", "ü € 😀 ", "{#0047AB} ", "{# gone #}", "line one\n\n   "])
@pytest.mark.parametrize("after", ["", "\n", " {# #} ", "\r\nend"])
def test_a_fault_counts_characters_whatever_stands_around_it(before: str, after: str) -> None:
    text = f"{before}{{{{ product.nam }}}}{after}"

    fault = fault_of(text, SCOPE)

    assert text[fault.start : fault.end] == "nam"
    assert fault.start == len(before) + len("{{ product.")


def test_b67_an_output_that_is_too_long_stops() -> None:
    fault = fault_of("{% for a in rows %}{{ long }}{% endfor %}", {"rows": [1] * 100, "long": "x" * 1_000})

    assert (fault.code, fault.message) == ("FB306", "the rendered text is longer than 32,768 characters")


def test_b65_the_same_template_fails_for_one_row_alone() -> None:
    headline = template("{{ copy[product.sku, 'de'].headline }}")

    assert headline.render({**SCOPE, "product": {"sku": "mug-01"}}) == "Langsame Morgen"
    with pytest.raises(TemplateFault, match=r"no row for sku tote-02, locale de in data/copy.csv"):
        headline.render({**SCOPE, "product": {"sku": "tote-02"}})


OTHER_SYNTAX = [
    # text                              placeholders of other tools
    ("a {subject} and {n}",              ["{subject}", "{n}"]),
    ("a ${subject} and $n",              ["${subject}", "$n"]),
    ("a <subject> here",                 ["<subject>"]),
    ("a {product.name} here",            ["{product.name}"]),
    ("{{ subject }} {{n}} {% if n %}{% endif %}", []),
    ("{other} $5 <b> {} { subject }",    []),
    ("{{ '{subject}' }}",                []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), OTHER_SYNTAX)
def test_b68_the_syntax_of_another_tool_is_noticed(text: str, expected: list[str]) -> None:
    found = list(other_syntax(text, SCOPE))

    assert [text[fault.start : fault.end] for fault in found] == expected
    assert all(fault.code == "FB307" and "{{ " in (fault.help or "") for fault in found)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_plain_text_arrives_byte_for_byte(text: str) -> None:
    plain = text.replace("{{", "").replace("{%", "").replace("{#", "")
    if not plain.endswith("{"):
        assert template(plain + "{{ x }}" + plain).render({"x": "-"}) == f"{plain}-{plain}"
    assert template(plain).render({}) == plain


@pytest.mark.parametrize(
    "plain",
    [
        "#0047AB",
        "{",
        "|",
        "'\"",
        "a\n",
        "\n\n",
        "a\r\nb\rc",
        "{#0047AB}",
        "}} %} #}",
        "&amp; <b>",
        "# line",
        "-- x",
        "\x1c{#",
    ],
)
def test_signs_in_plain_text_mean_nothing(plain: str) -> None:
    assert template(f"{plain} {{{{ n }}}}{plain}").render(SCOPE) == f"{plain} 3{plain}"


@pytest.mark.parametrize(("text", "value"), [("{{ n }}", 3), ("{{ names }}", ["fox", "clock"]), ("{{nothing}}", None),
                                             ("{{- half -}}", 0.5), ("{{ yes }}", True), ("{{ guidance }}", 2.0)])  # fmt: skip
def test_a_single_expression_keeps_its_type(text: str, value: Any) -> None:
    given = template(text).value(SCOPE)

    assert (given, type(given)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "value"), [(" {{ n }}", " 3"), ("{{ n }}{{ n }}", "33"), ("{{ n }}\n", "3\n"), ("plain", "plain")]
)
def test_anything_else_is_text(text: str, value: str) -> None:
    assert template(text).value(SCOPE) == value


def test_an_empty_cell_is_a_value_and_no_text() -> None:
    cell = template("{{ copy['cap-03', 'de'].headline }}")

    assert cell.value(SCOPE) == ""
    assert isinstance(cell.value(SCOPE), EmptyCell)
    with pytest.raises(TemplateFault):
        cell.render(SCOPE)


def test_the_place_of_a_fault_in_a_value_counts_from_the_braces() -> None:
    text = "{{- product.nam -}}"
    with pytest.raises(TemplateFault) as caught:
        template(text).value(SCOPE)

    assert text[caught.value.start : caught.value.end] == "nam"


FILES = {
    "lettering.j2": '{% macro lettering(words, colour="black") -%}\nthe words "{{ words }}" in {{ colour }}\n{%- endmacro %}\n',
    "light.j2": "lit by {{ light }}, {% include 'end.j2' %}\n",
    "end.j2": "{{ ending }}\n",
    "two.j2": "{% macro a(x) %}{{ b(x) }}{% endmacro %}{% macro b(x) %}<{{ x }}>{% endmacro %}",
    "broken.j2": "one\n {{ light | brihgt }}",
    "leaky.j2": "{% macro m() %}\n{{ light }}{% endmacro %}",
}


@pytest.mark.parametrize(
    ("text", "expected", "names"),
    [
        ("{% from 'lettering.j2' import lettering %}{{ lettering(n) }}.", 'the words "3" in black.', {"n"}),
        ("{% from 'lettering.j2' import lettering as l %}{{ l(n, colour='red') }}", 'the words "3" in red', {"n"}),
        ("{% import 'lettering.j2' as m %}{{ m.lettering('x') }}", 'the words "x" in black', set()),
        ("{% include 'light.j2' %}!", "lit by a lamp, at last!", {"light", "ending"}),
        ("{% for light in names %}{% include 'light.j2' %} {% endfor %}", "lit by fox, at last lit by clock, at last ", {"names", "ending"}),
        ("{% from 'two.j2' import a %}{{ a(n) }}", "<3>", {"n"}),
        ("{% from 'leaky.j2' import m with context %}{{ m() }}", "\na lamp", set()),
    ],
)  # fmt: skip
def test_files_of_the_templates_folder(text: str, expected: str, names: set[str]) -> None:
    made = template(text, files=FILES)

    assert made.render({**SCOPE, "light": "a lamp", "ending": "at last"}) == expected
    assert made.names == names


@pytest.mark.parametrize(
    ("text", "code", "said", "characters"),
    [
        ("x {% include 'nope.j2' %}", "FB401", "no such file 'templates/nope.j2'", "'nope.j2'"),
        ("x {% include 'broken.j2' %}", "FB303", "templates/broken.j2:2:13: unknown filter 'brihgt'", "'broken.j2'"),
        ("x {% include 'end.j2' %}", "FB301", "templates/end.j2:1:4: unknown variable 'ending'", "include 'end.j2'"),
        ("{% from 'two.j2' import c %}", "FB301", "'templates/two.j2' defines no macro 'c'", "'two.j2'"),
        ("{% from 'leaky.j2' import m %}", "FB301", "templates/leaky.j2:2:4: a macro sees only its arguments, and 'light' is none", "'leaky.j2'"),
        ("{% from 'two.j2' import a %}{{ a(nope) }}", "FB301", "unknown variable 'nope'", "nope"),
        ("{% from 'two.j2' import a %}{{ a(1, 2) }}", "FB305", "macro 'a' takes not more than 1 argument(s)", "a(1, 2)"),
        ("{% include which %}", "FB304", "the name of a file is written out, in quotes", "include"),
    ],
)  # fmt: skip
def test_a_fault_of_a_file_points_at_the_tag_that_names_it(text: str, code: str, said: str, characters: str) -> None:
    fault = fault_of(text, SCOPE, FILES)

    assert (fault.code, fault.message) == (code, said)
    assert text[fault.start : fault.end] == characters


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("plain", set()),
        ("{{ a }} {{ b.c }} {{ d[e, f.g].h | join(i) }}", {"a", "b", "d", "e", "f", "i"}),
        (
            "{% for x in xs if x.y == z %}{{ x }}{{ loop.index }}{% else %}{{ w }}{% endfor %}{{ x }}",
            {"xs", "z", "w", "x"},
        ),
        ("{% if p %}{{ q }}{% elif r %}{{ s }}{% endif %}{{ t if u else v }}", {"p", "q", "r", "s", "t", "u", "v"}),
        ("{{ ref('logo') }} {{ data.x }} {{ vars['y'] }}", {"ref", "data", "vars"}),
    ],
)
def test_the_names_of_a_template(text: str, names: set[str]) -> None:
    made = template(text)

    assert made.names == names
    assert all(text[slice(*made.name_span(name))] == name for name in names)


COMPONENTS = [
    # text                        component
    ("bfl/flux-2-pro",            "bfl-flux-2-pro"),
    ("overcast light",            "overcast light"),
    ("../../etc/passwd",          "etc-passwd"),
    ("..",                        "_"),
    ("",                          "_"),
    (".hidden",                   "hidden"),
    ("-rf",                       "rf"),
    ("-1",                        "minus1"),
    (" -.5",                      "minus.5"),
    ("~root",                     "root"),
    ("CON",                       "CON_"),
    ("nul.png",                   "nul_.png"),
    ("con .txt",                  "con _.txt"),
    ("com1",                      "com1_"),
    ("console",                   "console"),
    ("a:b*c?d\"e<f>g|h\\i",       "a-b-c-d-e-f-g-h-i"),
    ("dot. ",                     "dot"),
    ("a\n\tb",                    "a b"),
    ("a\x00\x1bb",                "ab"),
    ("a\u202eb\u200bc",           "abc"),
    ("Überfluß",                  "Überfluß"),
    ("狐狸",                       "狐狸"),
    ("สวัสดี",                      "สวัสดี"),
    ("می‌خواهم",                   "می‌خواهم"),
    ("e\u0301",                   "é"),
    ("2.5",                       "2.5"),
    ("x" * 100,                   "x" * 80),
    ("ä" * 100,                   "ä" * 40),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), COMPONENTS)
def test_a_safe_component(text: str, expected: str) -> None:
    assert safe_component(text) == expected


@given(st.text(max_size=120))
def test_a_component_is_safe_whatever_it_was(text: str) -> None:
    component = safe_component(text)

    assert component
    assert component not in {".", ".."}
    assert not set(component) & set('/\\:*?"<>|\0\n')
    assert component[0] not in " .-~"
    assert component[-1] not in " ."
    assert len(component.encode()) <= 81  # a device's name gets one more
    assert safe_component(component) == component


PATHS = [
    # template                                   path
    ("{{ model }}/g{{ guidance }}-{{ n }}",      "bfl-flux-2-pro/g2.0-3"),
    ("{{ '../../x' }}/y",                        "x/y"),
    ("{{ hostile }}/a/{{ hostile }}",            "etc-passwd/a/etc-passwd"),
    ("{% for x in names %}{{ x }}/{% endfor %}p", "fox/clock/p"),
    ("{% from 'm' import m %}{{ m(hostile) }}/p", "a-etc-passwd/p"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), PATHS)
def test_only_the_text_of_a_path_holds_slashes(text: str, expected: str) -> None:
    made = template(text, files={"m": "{% macro m(x) %}a/{{ x }}{% endmacro %}"}, kind="path")

    assert made.render({**SCOPE, "hostile": "../etc/passwd"}) == expected


def test_a_text_without_tags_never_imports_jinja() -> None:
    program = (
        "import sys; from flux2batch.planning.templating import compile_template;"
        "t = compile_template('a { b } #c', folder=None, kind='text'); assert t.is_static and t.render({}) == t.text;"
        "sys.exit('jinja2' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_call_that_refuses_is_a_fault_at_its_tag() -> None:
    def ref(name: str) -> str:
        raise Refusal("FB301", f"no reference '{name}'", "the references are pack, logo", name=name)

    fault = fault_of("of {{ ref('lgo') }}", {"ref": ref})

    assert (fault.code, fault.message, fault.help) == ("FB301", "no reference 'lgo'", "the references are pack, logo")
    assert (fault.start, fault.end) == (10, 15)


@pytest.mark.parametrize(
    ("text", "code", "characters"),
    [
        ("", "FB302", ""),
        ("n >", "FB302", ">"),
        ("n > 3 extra", "FB302", "extra"),
        ("subjct == 'x'", "FB301", "subjct"),
        ("subject > 3 and n", "FB305", "subject > 3 and n"),
        ("product.nam == 'x'", "FB301", "nam"),
        ("''.__class__", "FB706", "__class__"),
    ],
)
def test_a_faulty_expression_points_at_its_characters(text: str, code: str, characters: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        compile_expression(text).evaluate(SCOPE)

    assert caught.value.code == code
    assert text[caught.value.start : caught.value.end] == characters


@given(st.text(alphabet="{}%#|'\"()[].,~+-*/ \nabin0_ifor", max_size=40))
def test_any_text_is_a_template_or_a_fault_inside_it(text: str) -> None:
    fault: TemplateFault | None = None
    try:
        template(text).render({"a": 1, "b": "x", "n": [1]})
    except TemplateFault as raised:
        fault = raised

    assert fault is None or (fault.code in codes.ALL and 0 <= fault.start <= fault.end <= len(text))
