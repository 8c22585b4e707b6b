"""Texts that are no job, row by row: what is wrong with each, and exactly where.

Data only: the same rows are read in-process (test_yaml_bad_inputs.py) and through the command line.
A row's expectation is `CODE line:column`, several in the order of the file; a `?` before the code marks a warning.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    row: str
    what: str
    raw: bytes
    expected: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return 3 if any(not line.startswith("?") for line in self.expected) else 0

    @property
    def id(self) -> str:
        return f"{self.row}-{self.what.replace(' ', '-')}"


def _zip() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("job.yaml", "flux2batch: 1")
    return archive.getvalue()


def _case(row: str, what: str, text: str | bytes, *expected: str) -> Case:
    raw = text if isinstance(text, bytes) else text.encode()
    return Case(row=row, what=what, raw=raw, expected=expected)


# A job that is right but for what is put into it. `_job` is for a line of its own: it stands in line 3.
def _job(line: str) -> str:
    return f"flux2batch: 1\nmodel: bfl/flux-2-pro\n{line}\n"


def _prompt(value: str) -> str:
    """In line 2 from column 9."""
    return f"flux2batch: 1\nprompt: {value}\nmodel: bfl/flux-2-pro\n"


def _sweep(lines: str) -> str:
    """From line 4 on."""
    return f"flux2batch: 1\nprompt: a cat\nsweep:\n{lines}"


_BOMB = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 10))

ROWS: tuple[Case, ...] = (
    # --- the file as a whole
    _case("B03", "empty", "", "FB101 1:1"),
    _case("B03", "only comments", "# nothing yet\n\n# at all\n", "FB101 1:1"),
    _case("B03", "only dashes", "---\n", "FB101 1:1"),
    _case("B03", "only blanks", "  \n\n \t \n", "FB101 1:1"),
    _case("B03", "null", "null\n", "FB101 1:1"),
    _case("B04", "a list", "- flux2batch: 1\n- prompt: x\n", "FB103 1:1"),
    _case("B04", "a text", "a cat in the rain\n", "FB103 1:1"),
    _case("B04", "a number", "17\n", "FB103 1:1"),
    _case("B04", "a space is missing", "prompt:cat\n", "FB103 1:1"),
    _case("B05", "two documents", "flux2batch: 1\nprompt: a\n---\nflux2batch: 1\nprompt: b\n", "FB102 3:1"),
    _case("B05", "two documents, dots", "flux2batch: 1\nprompt: a\n...\nflux2batch: 1\n", "FB102 4:1"),
    _case("B05", "front matter", "---\nflux2batch: 1\nprompt: a\n---\n", "FB102 4:1"),
    _case("B06", "2 MB", b"# " + b"x" * 2_000_000, "FB104 1:1"),
    _case("B06", "a byte over 1 MB", b"#" * 1_000_001, "FB104 1:1"),
    _case("B07", "PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "FB103 1:1"),
    _case("B07", "JPEG", b"\xff\xd8\xff\xe0\0\x10JFIF\0", "FB103 1:1"),
    _case("B07", "WebP", b"RIFF\x1a\0\0\0WEBPVP8L", "FB103 1:1"),
    _case("B07", "ZIP", _zip(), "FB103 1:1"),
    _case("B07", "PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "FB103 1:1"),
    _case("B07", "a web page", "<!DOCTYPE html>\n<html></html>\n", "FB103 1:1"),
    _case("B07", "any bytes", bytes(range(32)) * 8, "FB103 1:1"),
    # --- characters
    _case("B08", "Latin-1 e", b"flux2batch: 1\nprompt: caf\xe9 noir\n", "FB115 2:12"),
    _case("B08", "Latin-1 after umlauts", "prompt: größe ".encode() + b"\xe9\n", "FB115 1:15"),
    _case("B08", "many bytes, one problem", b"prompt: \xe9\xe9\nname: \xe9\n", "FB115 1:9"),
    _case("B08", "cut off inside of a character", "prompt: é".encode()[:-1], "FB115 1:9"),
    _case("B09", "UTF-16 with mark", "flux2batch: 1\nprompt: a cat\n".encode("utf-16"), "FB115 1:1"),
    _case("B09", "UTF-16 without mark", "flux2batch: 1\nprompt: a cat\n".encode("utf-16-be"), "FB115 1:1"),
    _case("B09", "UTF-32", "flux2batch: 1\nprompt: a cat\n".encode("utf-32"), "FB115 1:1"),
    _case("B09", "UTF-8 with mark", b"\xef\xbb\xbfflux2batch: 1\nprompt: a cat\n"),
    _case("B09", "UTF-8 with mark, places", b"\xef\xbb\xbfflux2batch: 1\nflux2batch: 1\n", "FB113 2:1"),
    _case("B10", "BELL", 'flux2batch: 1\nprompt: "a \a cat"\n', "FB116 2:12"),
    _case("B10", "NUL", b"flux2batch: 1\nprompt: a \0cat\n", "FB116 2:11"),
    _case("B10", "ESC", "flux2batch: 1\nprompt: \x1b[31mred\n", "FB116 2:9"),
    _case("B10", "C1", "flux2batch: 1\nprompt: a\x85cat\n", "FB116 2:10"),
    _case("B10", "written as an escape", 'flux2batch: 1\nprompt: "a \\x07 cat"\n', "FB116 2:12"),
    _case("B10", "half a character", 'flux2batch: 1\nprompt: "a \\ud83d cat"\n', "FB116 2:12"),
    _case("B10", "two of them", "flux2batch: 1\nprompt: a\vb\nname: c\fd\n", "FB116 2:10", "FB116 3:8"),
    # --- tabs
    _case("B11", "tab before a key", "flux2batch: 1\nparams:\n\tsteps: 20\n", "FB100 3:1"),
    _case("B11", "tab after spaces", "flux2batch: 1\nparams:\n  \tsteps: 20\n", "FB100 3:3"),
    _case("B11", "tab before an item", "flux2batch: 1\ntags:\n\t- a\n", "FB100 3:1"),
    _case("B11", "tabs that separate", "flux2batch:\t1\nprompt:\ta cat\t\n\t\nsweep:\t{a:\t[1,\t2]}\t# ok\n"),
    # --- values that must be quoted
    _case("B12", "a colon", _prompt("A cat: a dog"), "FB100 2:14"),
    _case("B12", "a colon in a list", _sweep("  subject:\n    - A cat: a dog: a bird\n"), "FB100 5:19"),
    _case("B12", "a colon after a quoted word", _prompt('"A cat": a dog'), "FB100 2:16"),
    _case("B13", "template first", _prompt("{{ subject }} cat"), "FB112 2:9"),
    _case("B13", "template in a list", _sweep("  a: [{{ x }} cat, dog]\n"), "FB112 4:7"),
    _case("B13", "template inside of brackets", _sweep("  a: [a {{ x }} cat, dog]\n"), "FB112 4:9"),
    _case("B13", "statement first", _prompt("{% if x %}a{% endif %}"), "FB112 2:9"),
    _case("B13", "item of a block list", _sweep("  a:\n    - {{ x }} cat\n    - dog\n"), "FB112 5:7"),
    _case("B14", "template alone", _prompt("{{ subject }}"), "FB112 2:9"),
    _case("B14", "template alone in a list", _sweep("  a: [{{ subject }}, b]\n"), "FB112 4:7"),
    _case("B14", "template as a key", _sweep("  {{ subject }}: [b]\n"), "FB112 4:3"),
    _case("B15", "hex colour", _prompt("color #ff0000 cat"), "FB121 2:15"),
    _case("B15", "hex colour alone", _job("vars: {}\nname: #0047AB"), "FB121 4:7"),
    _case("B15", "hex colour in a list", _sweep("  a:\n    - #fff\n    - blue\n"), "FB121 5:7"),
    _case("B15", "hex colour after three words", _prompt("a red cat #ff0000"), "?FB121 2:19"),
    _case("B15", "a hash tag", _prompt("a shop window #sale"), "?FB121 2:23"),
    _case("B15", "an ordinary comment", _prompt("a cat  # the hero of this job")),
    _case("B15", "a comment behind a number", _job("params: {steps: 20} #fast\nrepeat: 2 #twice")),
    _case("B15", "in brackets it swallows them", _sweep("  a: [blue #fff, red]\n"), "FB121 4:12"),
    _case(
        "B15",
        "colours in brackets, each",
        "a: [#fff, b]\nc: {d: #0047AB}\ne: @f\n",
        "FB121 1:5",
        "FB121 2:8",
        "FB100 3:4",
    ),
    _case("B15", "a hash tag in brackets", _sweep("  a: [blue #sale, red]\n"), "FB100 4:6", "?FB121 4:12"),
    _case("B16", "@", _prompt("@cat"), "FB100 2:9"),
    _case("B16", "%", _prompt("%cat"), "FB100 2:9"),
    _case("B16", "`", _prompt("`x`"), "FB100 2:9"),
    _case("B16", "*", _prompt("*star"), "FB100 2:9"),
    _case("B16", "* and more", _prompt("*star on a hill"), "FB100 2:9"),
    _case("B16", "**", _prompt("**bold** cat"), "FB100 2:9"),
    _case("B16", "&", _prompt("&x"), "FB100 2:9"),
    _case("B16", "& and more", _prompt("&x marks the spot"), "FB100 2:9"),
    _case("B16", "& alone", _prompt("& sons"), "FB100 2:9"),
    _case("B16", "!", _prompt("!important"), "FB100 2:9"),
    _case("B16", "! alone", _prompt("! wow"), "FB100 2:9"),
    _case("B16", "-", _prompt("- dash"), "FB100 2:9"),
    _case("B16", "?", _prompt("? q"), "FB100 2:9"),
    _case("B16", "|", _prompt("| x"), "FB100 2:9"),
    _case("B16", ">", _prompt("> x"), "FB100 2:9"),
    _case("B16", "comma", _prompt(", x"), "FB100 2:9"),
    _case("B16", "closing bracket", _prompt("] x"), "FB100 2:9"),
    _case("B16", "bracketed word", _prompt("[red] fox"), "FB100 2:9"),
    _case("B16", "% at the head of a line", "%cat\n---\nprompt: x\n", "FB100 1:1"),
    _case("B16", "a version of very many digits", "%YAML 1." + "9" * 5_000 + "\n---\nprompt: x\n", "FB100 1:1"),
    _case("B16", "a tag for tags", "%TAG !e! tag:example.org,2000:\n---\nprompt: x\n", "FB100 1:1"),
    _case("B16", "in brackets", _sweep("  a: [@cat, `x`]\n"), "FB100 4:7", "FB100 4:13"),
    _case("B16", "all in one go", "prompt: @cat\nname: `x`\ntitle: %y\n", "FB100 1:9", "FB100 2:7", "FB100 3:8"),
    # --- quotes and brackets
    _case("B17", "double quotes", _prompt('"it\'s "quoted""'), "FB100 2:15"),
    _case("B17", "an apostrophe", _prompt("'it's late'"), "FB100 2:12"),
    _case("B17", "words after a quote", _prompt('"a cat" in the rain'), "FB100 2:15"),
    _case("B17", "in brackets", _sweep("  a: ['it's', b]\n"), "FB100 4:10"),
    _case("B17", "an unknown escape", _prompt('"C:\\pictures"'), "FB100 2:12"),
    _case("B18", "square bracket", _sweep("  a: [red, blue\n  b: [1, 2]\n"), "FB100 4:6"),
    _case("B18", "square bracket at the end", _sweep("  a: [red, blue"), "FB100 4:6"),
    _case("B18", "curly bracket", _job("params: {steps: 20\nname: x"), "FB100 3:9"),
    _case("B18", "inner bracket", _job("params: {a: [1, 2}"), "FB100 3:13"),
    _case("B18", "double quote", _prompt('"a cat'), "FB100 2:9"),
    _case("B18", "single quote", _prompt("'a cat"), "FB100 2:9"),
    _case("B18", "quote closed by the next", _prompt('"a cat\nname: "x"'), "FB100 2:9"),
    _case("B18", "quote over dashes", 'prompt: "a cat\n---\nname: x"\n', "FB100 1:9"),
    _case("B18", "closed too often", _job("tags: [a]]"), "FB100 3:10"),
    # --- indentation
    _case("B19", "item too far left", _sweep("  a:\n    - 1\n   - 2\n"), "FB100 6:4"),
    _case("B19", "item too far right", _sweep("  a:\n    - {x: 1}\n      - 2\n"), "FB100 6:7"),
    _case("B19", "key too far right", "flux2batch: 1\n  prompt: a cat\n", "FB100 2:3"),
    _case("B19", "key too far left", "params:\n    steps: 20\n  seed: 1\n", "FB100 3:3"),
    _case("B19", "a line without a key", "flux2batch: 1\nprompt\nmodel: x\n", "FB100 2:1"),
    _case("B19", "a line of what only looks empty", "a: 1\n\u2028\nb: 2\n", "FB100 2:1", "?FB120 2:1"),
    _case("B19", "a list among keys", "flux2batch: 1\n- prompt: a\n", "FB100 2:1"),
    # --- keys
    _case("B20", "top", "flux2batch: 1\nprompt: a\nprompt: b\n", "FB113 3:1"),
    _case("B20", "nested", _job("params: {steps: 1, seed: 2, steps: 3}"), "FB113 3:29"),
    _case("B20", "in a sweep", _sweep("  seed: [1]\n  steps: [2]\n  seed: [3]\n"), "FB113 6:3"),
    _case("B20", "quoted and not", _job('"model": x'), "FB113 3:1"),
    _case("B20", "three times", "a: 1\na: 2\na: 3\n", "FB113 2:1", "FB113 3:1"),
    # --- anchors, aliases, merge keys, tags
    _case("B21", "accepted", _job("vars: {a: &a [1, 2], b: *a, c: &c {x: 1}, d: [*c, *a]}")),
    _case("B22", "merge key", _job("vars: {a: &a {x: 1}}\nparams:\n  <<: *a\n  steps: 1"), "FB110 5:3"),
    _case("B23", "undefined alias", _job("vars: {a: &base [1]}\nparams: *basis"), "FB110 4:9"),
    _case("B23", "undefined alias, no anchors", _job("params: *base"), "FB110 3:9"),
    _case("B24", "python", _prompt("!!python/object/apply:os.system [ls]"), "FB111 2:9"),
    _case("B24", "env", _prompt("!env PROMPT"), "FB111 2:9"),
    _case("B24", "env alone", _prompt("!env"), "FB111 2:9"),
    _case("B24", "set", _job("tags: !!set {a, b}"), "FB111 3:7"),
    _case("B24", "binary", _prompt("!!binary aGVsbG8="), "FB111 2:9"),
    _case("B24", "whole", _prompt("!<tag:example.org,2000:x> y"), "FB111 2:9"),
    _case("B24", "undefined handle", _prompt("!e!x y"), "FB111 2:9"),
    _case("B24", "two", _job("tags: [!a x, !b y]"), "FB111 3:8", "FB111 3:14"),
    _case("B25", "self", _job("vars: &v {a: *v}"), "FB110 3:14"),
    _case("B25", "bomb", "l0: &l0 [x, x, x, x, x, x, x, x, x]\n" + _BOMB, "FB105 5:35"),
    # --- bounds
    _case("B26", "50,000 brackets", _job("vars: " + "[" * 50_000), "FB106 3:70"),
    _case("B26", "50,000 braces", _job("vars: " + "{a: " * 50_000), "FB106 3:259"),
    _case("B26", "1,100 dashes", "- " * 1_100, "FB106 1:129"),
    _case("B26", "64 levels are fine", _job("vars: " + "[" * 63 + "]" * 63)),
    _case("B26", "65 levels", _job("vars: " + "[" * 64 + "]" * 64), "FB106 3:70"),
    _case(
        "B26", "deep by aliases", "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 30 + "*a" + "]" * 30, "FB106 2:34"
    ),
    _case("B27", "60,000 items", "tags:\n" + "- a\n" * 60_000, "FB105 50000:3"),
    _case("B27", "60,000 items in brackets", "tags: [" + "a, " * 60_000 + "]", "FB105 1:150004"),
    _case("B27", "30,000 mappings", "tags:\n" + "- {a: b}\n" * 30_000, "FB105 16667:7"),
    _case("B27", "60,000 keys", "vars:\n" + "".join(f"  k{n}: 1\n" for n in range(60_000)), "FB105 25001:3"),
    _case("B27", "a prompt of 60,000 commas and dashes", "prompt: |\n" + "  - a, [b,\n" * 60_000),
    _case("B27", "a quoted prompt of 60,000 commas", 'prompt: "' + "a, b, " * 60_000 + '"\n'),
    # --- values that YAML 1.1 reads otherwise
    _case("B28", "no, on, yes", _job("vars: {a: no, on: yes, yes: off, y: n}")),
    _case("B29", "ratios and times", _job("vars: {a: 16:9, b: 1:30, c: 12:30:45}")),
    _case("B30", "versions are the schema's", "flux2batch: 1.0\nprompt: a cat\n"),
    _case("B31", "leading zeros", _job("vars: {a: 007}"), "?FB117 3:11"),
    _case("B31", "signed leading zeros", _job("vars: [-010, 0, 00]"), "?FB117 3:8", "?FB117 3:17"),
    _case("B31", "bases and underscores", _job("vars: {a: 0x10, b: 0o7, c: 1_000, d: 1e3}")),
    _case("B32", "nan", _job("params: {seed: .nan}"), "FB114 3:16"),
    _case("B32", "inf", _job("params: {seed: -.inf}"), "FB114 3:16"),
    _case("B32", "5,000 digits", _job("params: {seed: " + "9" * 5_000 + "}"), "FB114 3:16"),
    _case("B32", "5,000 hexadecimal digits", _job("params: {seed: 0x" + "f" * 5_000 + "}"), "FB114 3:16"),
    _case("B32", "infinite by its exponent", _job("params: {seed: 1e999}"), "FB114 3:16"),
    _case("B32", "2^63 fits", _job("params: {seed: 9223372036854775808}")),
    _case("B32", "one more does not", _job("params: {seed: 9223372036854775809}"), "FB114 3:16"),
    _case("B33", "dates", _job("name: 2026-01-02")),
    _case("B34", "number", _job("vars:\n  1: a"), "FB112 4:3"),
    _case("B34", "decimal comma", _job("budget: {max_usd: 8,00}"), "FB112 3:21"),
    _case("B34", "true", _job("vars:\n  true: a"), "FB112 4:3"),
    _case("B34", "null", _job("vars:\n  null: a"), "FB112 4:3"),
    _case("B34", "nothing", _job("vars:\n  : a"), "FB112 4:3"),
    _case("B34", "a list", _job("vars: {[a, b]: c}"), "FB112 3:8"),
    _case("B34", "a list after ?", _job("vars:\n  ? [a, b]\n  : c"), "FB112 4:5"),
    _case("B34", "quoted is fine", _job('vars: {"1": a, "true": b}')),
    _case("B34", "a space is missing", _job("vars: {colour:red}"), "FB100 3:14"),
    _case("B35", "override in a value", _prompt("a \u202e cat"), "?FB120 2:11"),
    _case("B35", "override in a key", _job("vars: {na\u202eme: x}"), "FB120 3:10"),
    _case("B35", "override in a key, escaped", _job('vars: {"na\\u202eme": x}'), "FB120 3:8"),
    _case("B35", "zero width space", _prompt("a\u200bcat"), "?FB120 2:10"),
    _case("B35", "mark in the middle", _prompt("a\ufeffcat"), "?FB120 2:10"),
    _case("B35", "line separator", _prompt("a\u2028cat"), "?FB120 2:10"),
    _case("B35", "joined emoji are fine", _prompt("a 👩\u200d🚀 and می\u200cخواهم")),
    # --- line breaks
    _case("B36", "CRLF", b"flux2batch: 1\r\nprompt: |\r\n  a\r\n  b\r\nx: 1\r\nx: 2\r\n", "FB113 6:1"),
    _case("B36", "CR", b"flux2batch: 1\rprompt: a\rx: 1\rx: 2\r", "FB113 4:1"),
    _case("B36", "mixed", b"flux2batch: 1\r\nprompt: a\rx: 1\nx: 2", "FB113 4:1"),
    _case("B36", "trailing spaces, no final newline", b"flux2batch: 1   \nprompt: a cat  "),
    _case("B36", "a very long line", _prompt("a cat " * 100_000)),
    # --- several at once
    _case(
        "all",
        "ten in one go",
        'a: @x\nb: {{ y }} z\nb: 1\nc: A: b\n1: x\nd: !env X\ne: .nan\nf: red #f00\ng: "\\q"\nh: *i\n',
        "FB100 1:4",
        "FB112 2:4",
        "FB113 3:1",
        "FB100 4:5",
        "FB112 5:1",
        "FB111 6:4",
        "FB114 7:4",
        "FB121 8:8",
        "FB100 9:5",
        "FB110 10:4",
    ),
)
