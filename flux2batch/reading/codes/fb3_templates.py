"""FB3xx: templates, axes, rules and tables."""

from __future__ import annotations

from flux2batch.reading.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        name="FB301",
        exit_code=3,
        title="unknown variable",
        cause="A template or an expression names something that is not there: a variable that no axis, constant, "
        "table or parameter has, or a field that a value has not.",
        example='prompt: "a boat on a {{ colr }} sea"\nsweep: {colour: [blue, green]}',
        fix='prompt: "a boat on a {{ colour }} sea"\nsweep: {colour: [blue, green]}',
    ),
    Code(
        name="FB302",
        exit_code=3,
        title="a template that cannot be read",
        cause="A tag is not closed, or what stands in it is no expression. Values stand in {{ }}, decisions and "
        "loops in {% %}.",
        example='prompt: "a boat on a {{ colour } sea"',
        fix='prompt: "a boat on a {{ colour }} sea"',
    ),
    Code(
        name="FB303",
        exit_code=3,
        title="unknown filter",
        cause="Behind | stands a filter, and behind `is` a test, that templates of jobs do not have, or it has "
        "other arguments.",
        example='prompt: "{{ name | titel }}"',
        fix='prompt: "{{ name | title }}"',
    ),
    Code(
        name="FB304",
        exit_code=3,
        title="not allowed in templates of jobs",
        cause="Templates of jobs put values into texts and do no more: no variables of their own, no calls but "
        "ref(), refs() and macros, and macros are defined in files of the templates/ folder beside the job.",
        example='prompt: "{% set x = 3 %}{{ name.upper() }}"',
        fix='vars: {x: 3}\nprompt: "{{ name | upper }}"',
    ),
    Code(
        name="FB305",
        exit_code=3,
        title="a value does not fit",
        cause="What a template does with a value does not go with its kind: adding a number to a text, dividing by "
        "zero, looping over a text, printing a whole row.",
        example="prompt: \"{{ count + ' boats' }}\"",
        fix='prompt: "{{ count }} boats"',
    ),
    Code(
        name="FB306",
        exit_code=3,
        title="the template is too large",
        cause="A template, its result or the work that it asks for is beyond a bound: 16,384 characters and 500 "
        "parts of source, 32,768 characters of output, 65,536 characters of a value, 100,000 steps. The "
        "bounds are counted and not timed, so they are the same on every machine.",
        example='prompt: "{% for a in rows %}{% for b in rows %}{% for c in rows %}{{ a.name }}{% endfor %}…"',
        fix="Loop over fewer rows, and move long texts into files of the templates/ folder.",
    ),
    Code(
        name="FB307",
        exit_code=3,
        title="the placeholder of another tool",
        cause="A word in braces, angle brackets or behind $ is the name of something that the job knows, but stands "
        "in the prompt as it is. It is only a warning: the text may mean it.",
        example='prompt: "a boat on a {colour} sea"',
        fix='prompt: "a boat on a {{ colour }} sea"',
    ),
    Code(
        name="FB313",
        exit_code=3,
        title="a table that cannot be read",
        cause="A CSV, TSV or XLSX file has no header, two columns of one name, a row with another number of cells "
        "than the header, keys that are missing or stand twice, or is no such file.",
        example="sku,name\nmug-01,enamel mug,blue",
        fix="sku,name,colour\nmug-01,enamel mug,blue",
    ),
    Code(
        name="FB314",
        exit_code=3,
        title="a data file that cannot be read",
        cause="A JSON, JSON lines or YAML file under data: is broken, or is not a list of mappings (a table) or one "
        "mapping (a constant).",
        example='{"sku": "mug-01", "name": "enamel mug",}',
        fix='[{"sku": "mug-01", "name": "enamel mug"}]',
    ),
    Code(
        name="FB316",
        exit_code=3,
        title="a row or cell is missing",
        cause="A template needs the words of a cell that is empty, or of a row that its table has not: a "
        "translation that is still to come, as a rule.",
        example='prompt: "{{ copy[product.sku, locale].headline }}", without a row for mug-01 in German',
        fix="Fill in the cell or add the row; leave the combination out with exclude; or write | default('…').",
    ),
)
