"""FB1xx: the text of a YAML file."""

from __future__ import annotations

from flux2batch.reading.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        name="FB100",
        exit_code=3,
        title="this is not YAML",
        cause=(
            "YAML gives some characters a meaning of their own. A value that begins with one of them, or that holds "
            "': ', must stand in quotes; brackets and quotes must be closed; indentation is made of spaces and must "
            "line up."
        ),
        example="prompt: A cat: a dog",
        fix='prompt: "A cat: a dog"',
    ),
    Code(
        name="FB101",
        exit_code=3,
        title="the file is empty",
        cause="There is nothing in the file but comments, blank lines or '---'.",
        example="# my first job",
        fix='flux2batch: 1\nprompt: "a paper boat"\n\nor let the tool write a first job: flux2batch init',
    ),
    Code(
        name="FB102",
        exit_code=3,
        title="more than one YAML document",
        cause="A line of '---' (or '...') ends one document and begins the next, and a file holds one job.",
        example="flux2batch: 1\nprompt: a cat\n---\nflux2batch: 1\nprompt: a dog",
        fix="Put each job into a file of its own; several can be given at once: flux2batch plan cat.yaml dog.yaml",
    ),
    Code(
        name="FB103",
        exit_code=3,
        title="this is not a job",
        cause="A job file is a mapping: lines of 'key: value'. This is a list, a text, a number, or no text at all.",
        example="- flux2batch: 1\n- prompt: a cat",
        fix="flux2batch: 1\nprompt: a cat",
    ),
    Code(
        name="FB104",
        exit_code=3,
        title="the file is larger than 1 MB",
        cause="A job file says in a few lines which pictures are wanted; one of this size holds data, or is no job.",
        example="flux2batch validate everything.yaml",
        fix="Move long lists into a table: data: {products: {file: data/products.csv, key: sku}}",
    ),
    Code(
        name="FB105",
        exit_code=3,
        title="more than 50,000 values",
        cause="The file holds, or its aliases stand for, more than 50,000 keys and values.",
        example="a: &a [1, 1, 1]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\n…",
        fix="Use a range (seed: 1..60000), or move the list into a table under 'data'.",
    ),
    Code(
        name="FB106",
        exit_code=3,
        title="nested deeper than 64 levels",
        cause="Lists and mappings stand inside one another more than 64 times. No job needs that.",
        example="[[[[[[[[ … ]]]]]]]]",
        fix="Take the superfluous brackets or '- ' away.",
    ),
    Code(
        name="FB110",
        exit_code=3,
        title="an alias that stands for nothing, or a merge key",
        cause=(
            "'*name' repeats what '&name' marked earlier in the same file. There is no such mark, or it stands around "
            "the alias itself. Merge keys ('<<') are not part of YAML 1.2."
        ),
        example="params: *base",
        fix="vars: {base: &base {steps: 50}}\nparams: *base",
    ),
    Code(
        name="FB111",
        exit_code=3,
        title="a tag",
        cause="'!word' asks YAML for another type or for code to be run. A job is text, numbers, lists, mappings.",
        example="prompt: !env PROMPT",
        fix='prompt: "a paper boat"\n\nA text that begins with \'!\' must be quoted: prompt: "!important"',
    ),
    Code(
        name="FB112",
        exit_code=3,
        title="a key that is not a word, or a template without quotes",
        cause=(
            "Keys are words. A number, true, false, null, a list or a mapping cannot be a key. A value that begins "
            "with '{{' is a mapping to YAML unless it is quoted."
        ),
        example="prompt: {{ subject }} in the rain",
        fix='prompt: "{{ subject }} in the rain"',
    ),
    Code(
        name="FB113",
        exit_code=3,
        title="a key appears twice",
        cause="One mapping holds the same key twice. Which one was meant cannot be known.",
        example="params: {steps: 20, steps: 50}",
        fix="params: {steps: 50}",
    ),
    Code(
        name="FB114",
        exit_code=3,
        title="a number that cannot be used",
        cause="Infinity and 'not a number' are no sizes or seeds, and whole numbers go up to 2^63.",
        example="params: {guidance: .inf}",
        fix="params: {guidance: 10}",
    ),
    Code(
        name="FB115",
        exit_code=3,
        title="the file is not UTF-8",
        cause="The file was saved in another encoding (Latin-1, Windows-1252, UTF-16), so its letters cannot be known.",
        example="a prompt with é, saved as Latin-1",
        fix="Save it as UTF-8 in your editor, or: iconv -f latin1 -t utf-8 job.yaml > job.utf8.yaml",
    ),
    Code(
        name="FB116",
        exit_code=3,
        title="a control character",
        cause="The file holds a character that cannot be seen and is no part of a text, such as NUL, BEL or ESC.",
        example='prompt: "a cat\\x07"',
        fix='prompt: "a cat"',
    ),
    Code(
        name="FB117",
        exit_code=3,
        title="a number with leading zeros",
        cause="'007' is the number 7, as in YAML 1.2; other tools read 010 as 8, and an article number loses zeros.",
        example="seed: 007",
        fix='seed: 7\n\nor, where the zeros matter: sku: "007"',
        only_warns=True,
    ),
    Code(
        name="FB120",
        exit_code=3,
        title="a character that cannot be seen",
        cause=(
            "A zero-width or direction-changing character makes a text look different from what it is. In a key it is "
            "an error, in a value a warning."
        ),
        example='prompt: "a <U+200B>cat"',
        fix='prompt: "a cat"\n\nor, where it is meant: prompt: "a \\u200Bcat"',
    ),
    Code(
        name="FB121",
        exit_code=3,
        title="text after ' #' is dropped",
        cause="In YAML a '#' after a space begins a comment, so the rest of the line never arrives.",
        example="prompt: color #ff0000 cat",
        fix="prompt: \"color #ff0000 cat\"\n\nA comment that is meant as one has a space after its '#'.",
    ),
)
