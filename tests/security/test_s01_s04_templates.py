"""S01–S04: no way out of a template, none to use up the machine, none to be rendered twice, and nothing to spy on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from template_payloads import FILES, HEAVY, NOT_ALLOWED, PROBES, folder_of

from flux2batch.planning.templates.meter import MAX_OUTPUT
from flux2batch.planning.templating import (
    EmptyCell,
    KeyedTable,
    TemplateFault,
    ValueObject,
    compile_expression,
    compile_template,
)
from flux2batch.reading import codes

CHILD = Path(__file__).parent / "template_attack_child.py"


@pytest.fixture(scope="module")
def endings() -> dict[str, Any]:
    """How every payload ended, in a process with a hard stop at 5 s and 300 MB."""
    done = subprocess.run([sys.executable, CHILD], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"the last payload did it: {done.stderr[-400:]}"
    ended: dict[str, Any] = json.loads(done.stdout)
    return ended


@pytest.mark.parametrize("name", PROBES)
def test_s01_a_probe_is_refused_as_one(name: str, endings: dict[str, Any]) -> None:
    assert endings[name] == "FB706"
    assert codes.ALL["FB706"].exit_code == 4


@pytest.mark.parametrize("name", NOT_ALLOWED)
def test_s01_what_is_no_template_of_a_job_is_refused(name: str, endings: dict[str, Any]) -> None:
    assert endings[name] in {"FB301", "FB303", "FB304", "FB401"}


@pytest.mark.parametrize("name", [*HEAVY, *FILES])
def test_s02_a_heavy_template_ends_soon_and_small(name: str, endings: dict[str, Any]) -> None:
    ending = endings[name]

    assert ending in {"FB302", "FB304", "FB305", "FB306"} or (isinstance(ending, int) and ending <= MAX_OUTPUT)


def test_s02_the_bounds_leave_room_for_honest_work() -> None:
    rows = [{"name": f"boat {n}", "colour": "red"} for n in range(200)]
    template = compile_template(
        "{% for row in rows if row.colour == 'red' %}{{ loop.index }}. {{ row.name | title }}\n{% endfor %}",
        folder=None,
        kind="text",
    )

    assert template.render({"rows": rows}).count("\n") == 200


@pytest.mark.parametrize(
    "hostile", ["{{ 7*7 }}", "{{7*7}}", "{% for x in y %}", "{# x #}", "${7*7}", "{{ ''.__class__ }}"]
)
def test_s03_data_is_never_a_template(hostile: str) -> None:
    """Seen red with the rendered text compiled and rendered a second time."""
    seen = ValueObject(id="x", label="x", value=hostile, text=hostile, fields={"text": hostile})
    scope = {"axis": seen, "row": {"cell": hostile}, "plain": hostile}

    rendered = compile_template(
        "{{ axis }} {{ axis.text }} {{ row.cell }} {{ plain }} {{ m(plain) }}".replace(
            "{{ m(plain) }}", "{% include 'a' %}"
        ),
        folder=folder_of({"a": "{{ plain }}"}),
        kind="text",
    ).render(scope)

    assert rendered == " ".join([hostile] * 5)


@pytest.mark.parametrize(
    "name", ["env", "environ", "os", "open", "Path", "config", "request", "range", "dict", "cycler"]
)
def test_s04_nothing_of_the_machine_has_a_name(name: str) -> None:
    template = compile_template(f"{{{{ {name}.HOME }}}}", folder=None, kind="text")

    with pytest.raises(TemplateFault) as caught:
        template.render({"product": {"name": "mug"}})

    assert caught.value.code == "FB301"


VALUES: dict[str, Any] = {
    "text": "boat",
    "number": 5,
    "decimal": 2.5,
    "truth": True,
    "nothing": None,
    "list": ["a", "b"],
    "pair": ("a", "b"),
    "mapping": {"name": "mug"},
    "empty": EmptyCell("data/copy.csv:2", "headline"),
    "axis": ValueObject(id="fox", label="Fox", value="fox", text="fox", fields={"own": "x"}),
    "row": ValueObject(id="mug-01", label="mug", value={"sku": "mug-01"}, text=None, fields={"sku": "mug-01"}),
    "table": KeyedTable(name="table", file="data/t.csv", key=("sku",), rows=({"sku": "mug-01"},)),
    "ref": lambda name: name,
}
OWN_FIELDS = {"axis": {"own", "id", "label", "value"}, "row": {"sku", "id", "label", "value"}, "mapping": {"name"}}


@pytest.mark.parametrize("name", VALUES)
def test_s04_no_value_has_an_attribute(name: str) -> None:
    """Every attribute that Python knows of a value, asked for in every way that a template has."""
    value = VALUES[name]
    attributes = set(dir(value)) - OWN_FIELDS.get(name, set())
    for attribute in sorted(attributes):
        for text in (f"{name}.{attribute}", f"{name}['{attribute}']", f"{name}['{attribute[:1]}' ~ '{attribute[1:]}']"):
            with pytest.raises(TemplateFault) as caught:
                compile_expression(text).evaluate(dict(VALUES))
            assert caught.value.code in {"FB301", "FB304", "FB305", "FB316", "FB706"}, text


@pytest.mark.parametrize("inside", ["loop", "loop.previtem", "loop.nextitem"])
def test_s04_a_loop_shows_its_counters_and_nothing_else(inside: str) -> None:
    for attribute in ("__class__", "_iterator", "_undefined", "changed", "cycle", "depth0", "__call__"):
        with pytest.raises(TemplateFault):
            compile_template(
                f"{{% for x in list %}}{{{{ {inside}.{attribute} }}}}{{% endfor %}}", folder=None, kind="text"
            ).render(dict(VALUES))


@pytest.mark.parametrize("attribute", ["name", "arguments", "catch_kwargs", "_func", "__call__", "explicit_caller"])
def test_s04_a_macro_has_no_attribute(attribute: str) -> None:
    folder = folder_of({"m": "{% macro f(x) %}{{ x }}{% endmacro %}"})
    for text in (
        f"{{% from 'm' import f %}}{{{{ f.{attribute} }}}}",
        f"{{% import 'm' as m %}}{{{{ m.{attribute} }}}}",
        f"{{% import 'm' as m %}}{{{{ m.f.{attribute} }}}}",
    ):
        with pytest.raises(TemplateFault):
            compile_template(text, folder=folder, kind="text").render({})


_NAMES = st.sampled_from([*VALUES, "loop", "self", "nope", "items", "keys", "format", "mro", "0", "1", "'x'", "none"])
_TAILS = st.lists(
    st.one_of(
        _NAMES.map(lambda n: f".{n}"),
        _NAMES.map(lambda n: f"[{n}]"),
        st.sampled_from(["|upper", "|join", "|first", "|length", "|default('')", "|tojson", "|slug", "|sort", "()"]),
        _NAMES.map(lambda n: f" ~ {n}"),
        _NAMES.map(lambda n: f" + {n}"),
        _NAMES.map(lambda n: f" in {n}"),
        _NAMES.map(lambda n: f" == {n}"),
        _NAMES.map(lambda n: f" < {n}"),
        st.just("[1:]"),
    ),
    max_size=5,
)


@given(_NAMES, _TAILS)
def test_s04_an_expression_gives_plain_data_or_a_fault(head: str, tail: list[str]) -> None:
    text = head + "".join(tail)
    fault: TemplateFault | None = None
    try:
        value = compile_expression(text).evaluate(dict(VALUES))
    except TemplateFault as raised:
        fault, value = raised, None

    assert fault is None or (fault.code in codes.ALL and 0 <= fault.start <= fault.end <= len(text))
    assert value is VALUES["ref"] or isinstance(value, (str, int, float, type(None), list, tuple, dict, KeyedTable))
