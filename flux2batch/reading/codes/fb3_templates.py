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
        "in the prompt as it is, which the text may mean.",
        example='prompt: "a boat on a {colour} sea"',
        fix='prompt: "a boat on a {{ colour }} sea"',
        only_warns=True,
    ),
    Code(
        name="FB308",
        exit_code=3,
        title="something that changes nothing",
        cause="Every value of the axis asks for the same pictures, so each would be paid for several times over. "
        "Nothing that is sent uses the axis. An axis that --set adds and nothing uses is an error even with one "
        "value: it would change nothing of what is bought. A constant that nothing uses is only a warning, and so is "
        "an axis of one value in the file that may be a parameter with a typo in it.",
        example='prompt: "a paper boat"\nsweep: {colour: [blue, coral]}',
        fix='prompt: "a {{ colour }} paper boat"; to ask for the identical request again, repeat: {count: 2, '
        "seed: same}",
    ),
    Code(
        name="FB309",
        exit_code=3,
        title="empty axis",
        cause="An axis without values makes a job without pictures. A file, a table or a filter may have turned out "
        "empty.",
        example="sweep: {colour: []}",
        fix="sweep: {colour: [blue]}",
    ),
    Code(
        name="FB310",
        exit_code=3,
        title="lists that move together have different lengths",
        cause="The axes of one entry of zip move together, the first value with the first: each needs as many values "
        "as the others.",
        example="zip: [{person: [anna, ben, carl], coat: [red, green]}]",
        fix="zip: [{person: [anna, ben], coat: [red, green]}]",
    ),
    Code(
        name="FB311",
        exit_code=3,
        title="range that has no numbers",
        cause="A range has both its ends in it and goes from the first to the second. Its steps lead there, and are "
        "not 0.",
        example="sweep: {seed: 5..1}",
        fix="sweep: {seed: 1..5}",
    ),
    Code(
        name="FB312",
        exit_code=3,
        title="rule that matches nothing",
        cause="An exclude, include or override names a value that its axis does not have, or values that never come "
        "together. It would do nothing without a word. Or `rows` keeps no row of a table under data: it compares "
        "letter by letter, so 'Ready' is not 'ready'. As a warning: an --only that no shot passes, and "
        "picks that name no shot of the plan, because what they were picked from has changed since: its prompt, or a "
        "parameter, be it by --set. A pick is found by its `id`, else by its `path`, else by its `coordinates`: with "
        "`id` taken out of each, or `id` and `path`, they are found whatever else has changed.",
        example="sweep: {locale: [en, de]}\nexclude: [{locale: fr}]",
        fix="sweep: {locale: [en, de, fr]}\nexclude: [{locale: fr}]",
    ),
    Code(
        name="FB313",
        exit_code=3,
        title="a table that cannot be read",
        cause="A CSV, TSV or XLSX file has no header, two columns of one name, a row with another number of cells "
        "than the header, keys that are missing or stand twice, or is no such file. A row with fewer cells is read "
        "as if empty ones followed, as spreadsheets leave them out; where no other row has them empty, it is a "
        "warning: a separator is missing in it, perhaps, and its cells stand in the wrong columns.",
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
        name="FB315",
        exit_code=3,
        title="values that depend on each other in a circle",
        cause="To know one value the other has to be known first, and the other way round.",
        example='vars: {a: "{{ b }}", b: "{{ a }}"}',
        fix='vars: {a: "blue", b: "{{ a }}"}',
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
    Code(
        name="FB317",
        exit_code=3,
        title="two values of one id",
        cause="The ids of an axis tell its values apart in rules, paths and the sheet. A value without one gets a "
        "short form of its text as its id, which may be that of another.",
        example='sweep: {line: ["Hello!", "Hello?"]}',
        fix='sweep: {line: [{id: shout, value: "Hello!"}, {id: ask, value: "Hello?"}]}',
    ),
    Code(
        name="FB318",
        exit_code=3,
        title="a table in an old encoding",
        cause="A CSV file is not UTF-8, so it was read as Windows-1252, in which Excel saves 'CSV' in many "
        "countries. Where the guess is wrong, letters with accents are wrong.",
        example="a CSV file saved by Excel as 'CSV (comma delimited)'",
        fix="In Excel, save as 'CSV UTF-8 (comma delimited)'.",
        only_warns=True,
    ),
    Code(
        name="FB319",
        exit_code=3,
        title="a blank that decides about a row",
        cause="`rows` compares letter by letter, and a cell has a blank before or behind its text, which nobody sees. "
        "Without it the row would be kept, or left out.",
        example='sku,status\nmug-01,"ready "',
        fix="sku,status\nmug-01,ready",
        only_warns=True,
    ),
)
