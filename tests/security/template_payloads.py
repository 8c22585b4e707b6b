"""Hostile templates: what S01 and S02 describe, and the published ways out of Jinja's sandbox."""

from __future__ import annotations

from typing import Any

from flux2batch.planning.templating import Refusal, TemplateFolder

LONG = "a" * 60_000
ROWS = [{"id": f"r{n}", "name": f"row {n}", "words": "abc " * 20} for n in range(2_000)]


def scope() -> dict[str, Any]:
    """What the payloads see: the plain data of a job with one large table."""
    return {"name": "boat", "long": LONG, "rows": ROWS, "n": 10, "nested": [[[["x"] * 40] * 40] * 40] * 40}


PROBES: dict[str, str] = {
    "class of a text": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "class of a variable": "{{ name.__class__ }}",
    "class of a list": "{{ [].__class__.__base__.__subclasses__() }}",
    "class by item": "{{ name['__class__'] }}",
    "class by escaped item": r"{{ name['\x5f\x5fclass\x5f\x5f'] }}",
    "class by an item put together": "{{ name['__cl' ~ 'ass__'] }}",
    "globals of lipsum": "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "globals of cycler": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "globals of joiner": "{{ joiner.__init__.__globals__.os }}",
    "globals of namespace": "{{ namespace.__init__.__globals__ }}",
    "a namespace": "{% for x in rows %}{{ namespace(a=1) }}{% endfor %}",
    "context of self": "{{ self._TemplateReference__context.cycler }}",
    "self alone": "{{ self }}",
    "attr": "{{ ''|attr('__class__') }}",
    "attr of a name put together": "{{ name|attr('__cla' ~ 'ss__') }}",
    "init of a loop": "{% for x in rows %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "globals of a function": "{{ ref.__globals__ }}",
    "CVE-2016-10745: format": "{{ '{0.__class__.mro}'.format(42) }}",
    "CVE-2019-10906: format_map": "{{ '{a.__class__.mro}'.format_map({'a': 42}) }}",
    "CVE-2024-56326: format handed on": "{{ rows|sort(attribute='{0.__class__}'.format) }}",
    "CVE-2025-27516: attr of format": "{{ '{0.__class__}'|attr('format') }}",
    "mro called": "{{ name.mro() }}",
}
"""Each must be refused as FB706: somebody looks for a way out."""

NOT_ALLOWED: dict[str, str] = {
    "CVE-2024-56201: code in a file's name": "{% include \"x'+__import__('os').system('id')+'.j2\" %}",
    "CVE-2024-22195: xmlattr": "{{ {'a onload=alert(1)': 1}|xmlattr }}",
    "map": "{{ rows|map(attribute='name')|join }}",
    "a method": "{{ name.upper() }}",
    "set": "{% set x = 1 %}{{ x }}",
    "extends": "{% extends 'x.j2' %}",
    "an undefined function": "{{ open('/etc/passwd').read() }}",
    "environment": "{{ env.HOME }}",
    "a call of a call": "{{ ref('x')('y') }}",
}
"""Refused as well, with another code: these are also written by mistake."""

HEAVY: dict[str, str] = {
    "loops over range": "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "loops over rows": "{% for a in rows %}{% for b in rows %}{% for c in rows %}{% endfor %}{% endfor %}{% endfor %}",
    "loops that print": "{% for a in rows %}{% for b in rows %}{{ long }}{% endfor %}{% endfor %}",
    "four loops": "{% for a in rows %}" * 4 + "{% endfor %}" * 4,
    "a power": "{{ 9**(9**9) }}",
    "a long repetition": "{{ 'a'*10**10 }}",
    "a repetition": "{{ 'a' * 9999999999 }}",
    "center": "{{ 'a'.center(10**10) }}",
    "width of a format": "{{ '%010000000000d' % 1 }}",
    "doubling": "{% set x = 'aaaaaaaa' %}" + "{% set x = x ~ x %}" * 40,
    "concatenation": "{{ " + " ~ ".join(["long"] * 200) + " }}",
    "addition": "{{ " + " + ".join(["long"] * 30) + " }}",
    "replace chain": "{{ 'aaaaaaaa'" + "|replace('a', 'aaaaaaaa')" * 12 + " }}",
    "replace of nothing": "{{ long|replace('', long)|length }}",
    "join": "{{ rows|join(long, attribute='id') }}",
    "wide tojson": "{{ rows|tojson(indent=1000000000) }}",
    "tojson": "{{ nested|tojson(indent=900) }}",
    "string of a nest": "{{ nested|string }}",
    "wide truncate": "{{ 'a'|truncate(10000000000) }}",
    "round": "{{ 1.5|round(10000000000) }}",
    "parentheses": "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
    "brackets": "{{ " + "[" * 5_000 + "]" * 5_000 + " }}",
    "not": "{{ " + "not " * 3_000 + "n }}",
    "minus": "{{ " + "-" * 5_000 + "n }}",
    "if in one another": "{% if n %}" * 800 + "{% endif %}" * 800,
    "else if in one another": "{{ " + "1 if n else " * 1_000 + "2 }}",
    "filters behind one another": "{{ n" + "|string" * 1_500 + " }}",
    "a long sum": "{{ " + " + ".join(["n"] * 3_000) + " }}",
    "a long list": "{{ [" + "n," * 6_000 + "]|length }}",
    "a long number": "{{ " + "9" * 10_000 + " }}",
    "a huge float": "{{ 1e9999 }}",
    "products": "{{ " + " * ".join(["999999999999"] * 30) + " }}",
    "sorting in a loop": "{% for a in rows %}{{ (rows|sort(attribute='name')|length) }}{% endfor %}",
    "searching in a loop": "{% for a in rows %}{% if (long ~ 'b') in long %}{% endif %}{% endfor %}",
    "title in a loop": "{% for a in rows %}{{ long|title|length }}{% endfor %}",
    "comparing in a loop": "{% for a in rows %}{% if nested == nested %}{% endif %}{% endfor %}",
    "comparing long lists": "{% for a in rows %}{{ rows in [rows, rows, rows] }}{% endfor %}",
    "unique in a loop": "{% for a in rows %}{{ rows|unique(attribute='id')|length }}{% endfor %}",
    "slices in a loop": "{% for a in rows %}{{ rows[::-1]|length }}{{ rows[::-1]|length }}{% endfor %}",
    "json in a loop": "{% for a in rows %}{{ rows[:100]|tojson|length }}{% endfor %}",
    "filtered loops": "{% for a in rows if a in rows %}{% for b in rows if b in rows %}x{% endfor %}{% endfor %}",
    "elif": "{% if n == 1 %}" + "{% elif n == 2 %}" * 900 + "{% endif %}",
    "open tags": "{{" * 8_000,
    "open comments": "{#" * 8_000,
    "a quote": "{{ '" + "a\\" * 8_000,
    "a long source": "{{ n }}" * 3_000,
    "too many expressions": "{{ n }}" * 600,
}
"""Each ends in a fault or in a short text, with little work and memory."""

FILES: dict[str, dict[str, str]] = {
    "a file that includes itself": {"main": "{% include 'a.j2' %}", "a.j2": "{% include 'a.j2' %}"},
    "files in a circle": {
        "main": "{% include 'a.j2' %}",
        "a.j2": "{% include 'b.j2' %}",
        "b.j2": "{% include 'a.j2' %}",
    },
    "a macro that calls itself": {
        "main": "{% from 'a.j2' import m %}{{ m() }}",
        "a.j2": "{% macro m() %}{{ m() }}{% endmacro %}",
    },
    "macros that call one another twice": {
        "main": "{% from 'a.j2' import m11 %}{{ m11() }}",
        "a.j2": "{% macro m0() %}{% endmacro %}"
        + "".join(
            f"{{% macro m{i}() %}}{{{{ m{i - 1}() }}}}" + f"{{{{ m{i - 1}() }}}}" * 9 + "{% endmacro %}"
            for i in range(1, 12)
        ),
    },
    "macros that double": {
        "main": "{% from 'a.j2' import m %}{{ m(m(m(m(m(m(m(long))))))) }}",
        "a.j2": "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}",
    },
    "files that include two each": {
        "main": "{% include '12.j2' %}",
        "0.j2": "x",
        **{f"{i}.j2": f"{{% include '{i - 1}.j2' %}}" * 8 for i in range(1, 13)},
    },
}
"""The same through files of the job's own templates/ folder: `main` is the text of the job."""


def folder_of(files: dict[str, str]) -> TemplateFolder:
    """A `templates/` folder with these files."""

    def read(name: str) -> str:
        if name not in files:
            raise Refusal("FB401", f"no such file 'templates/{name}'")
        return files[name]

    return TemplateFolder(read)
