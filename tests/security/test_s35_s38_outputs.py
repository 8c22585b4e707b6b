"""Rows S35 to S38 of the security matrix: what a run directory from anybody can do to sheet, links, files and tables.

The page in a browser is held against the same texts by the browser tests; here its bytes are.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from recorded_runs import Shot, grid, id_of, picture, put, run_directory

from flux2batch import cli
from flux2batch.reporting.sheet_page import Parts, as_json, page_of, parts, policy
from flux2batch.running.sheets import write_sheet

CANARY = "CANARY7f3a"

HOSTILE = [
    f"<script>alert('{CANARY}')</script>",
    f"</script><script>alert('{CANARY}')</script>",
    "</SCRIPT ><img src=x onerror=alert(1)>",
    "<!--<script>",
    "<!-- ",
    "-->",
    "]]>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe src=javascript:alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href=https://evil.example/a.css>",
    "<style>*{background:url(https://evil.example)}</style>",
    "<form action=https://evil.example><button>x</button></form>",
    "<object data=https://evil.example></object>",
    "<embed src=https://evil.example>",
    "<video src=x onerror=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<body onload=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    "` onmouseover=alert(1)",
    "x onfocus=alert(1) autofocus",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "\x01javascript:alert(1)",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "//evil.example/x.png",
    "https://evil.example/x.png",
    "\\\\evil.example\\share",
    "{{ 7 * 7 }}",
    "{{ config }}",
    "{% raw %}",
    "{# comment #}",
    "${7*7}",
    "<%= 7 * 7 %>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "&",
    "\u202egnp.exe",
    "\u2066hidden\u2069",
    "a\u2028b\u2029c",
    "nul \x00 inside",
    "bell \x07 escape \x1b[31m",
    "\ud83d half an emoji",
    "\ufeffbom",
    "__proto__",
    "constructor",
    "עברית ומשהו english 👩‍👩‍👧",
    "line\nbreak\r\nand\ttab",
    "\\u003cscript\\u003e",
    "\\",
    '"',
    "x" * 5000,
]


def names(texts: list[str]) -> list[str]:
    return [re.sub(r"\W+", "-", text)[:24] + f"-{number}" for number, text in enumerate(texts)]


def hostile_run(folder: Path, text: str) -> Path:
    """A run directory that says this text wherever a run directory says anything."""
    shots = [
        Shot(
            id=id_of(number),
            coordinates={text: text, "plain": str(number)},
            path=f"{number}.png",
            ends=ends,
            prompt=text,
            final=f"{text}!",
            reason=text,
            params={text: text},
            references=(f"pack {text.split()[0] if text.split() else 'x'} color:{number}",),
            model=text,
            remark=text,
        )
        for number, ends in enumerate(("done", "moderated", "failed", "unknown", "rejected"), start=1)
    ]
    sheet = {"title": text, "x": text, "rows": [text], text: text}
    return run_directory(folder / "run", _encodable(shots), job_name=_plain(text), job_file=_plain(text), sheet=sheet)


def _plain(text: str) -> str:
    """Without half characters: they cannot come out of a journal, which is UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _encodable(shots: list[Shot]) -> list[Shot]:
    for shot in shots:
        for name, value in vars(shot).items():
            if isinstance(value, str):
                setattr(shot, name, _plain(value))
        shot.coordinates = {_plain(axis): _plain(id) for axis, id in shot.coordinates.items()}
        shot.params = {_plain(k): _plain(v) if isinstance(v, str) else v for k, v in shot.params.items()}
        shot.references = tuple(_plain(one) for one in shot.references)
    return shots


class Elements(HTMLParser):
    """What a browser would make of the page: its elements with their attributes, and the texts of its scripts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.comments: list[str] = []
        self.title = ""
        self._in = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._in = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002  # the parser's signature
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.scripts[-1] += data
        elif self._in == "title":
            self.title += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def elements(page: str) -> Elements:
    parsed = Elements()
    parsed.feed(page)
    parsed.close()
    return parsed


def shape(page: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(attributes)) for tag, attributes in elements(page).found]


# S35: nothing that is said becomes markup.


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of the page where nobody means ill."""
    root = hostile_run(tmp_path_factory.mktemp("harmless"), "a red fox")
    return shape(write_sheet(root).path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", HOSTILE, ids=names(HOSTILE))
def test_s35_what_is_said_never_becomes_markup(
    tmp_path: Path, harmless: list[tuple[str, tuple[str, ...]]], text: str
) -> None:
    said = _plain(text)
    page = write_sheet(hostile_run(tmp_path, said)).path.read_bytes().decode()

    parsed = elements(page)
    data = json.loads(parsed.scripts[0])

    assert shape(page) == harmless
    assert parsed.comments == []
    assert said in data["texts"]
    assert data["title"] == said
    # Parsers of HTML make of NUL what they like, in a title as anywhere; the data keeps it.
    assert "\x00" in said or parsed.title.replace("\r\n", "\n") == said.replace("\r\n", "\n")


def test_s35_the_data_is_json_that_nothing_in_it_can_leave() -> None:
    for text in HOSTILE:
        written = as_json({"text": text, text: 1})

        assert json.loads(written) == {"text": text, text: 1}
        assert not set("<>&\u2028\u2029\x00\r\n") & set(written), text
        written.encode()


def test_s35_the_policy_allows_pictures_from_beside_the_page_and_our_own_style_and_script_alone(tmp_path: Path) -> None:
    page = write_sheet(run_directory(tmp_path / "run", grid(subject=["fox"]))).path.read_text(encoding="utf-8")
    found = elements(page).found
    allowed = next(
        attrs["content"] or "" for tag, attrs in found if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    own = parts()

    directives = dict(one.split(" ", 1) for one in allowed.split("; "))
    assert directives.keys() == {
        "default-src", "img-src", "style-src", "script-src", "base-uri", "form-action"
    }  # fmt: skip
    assert (directives["default-src"], directives["base-uri"], directives["form-action"]) == ("'none'",) * 3
    assert set(directives["img-src"].split()) <= {"'self'", "data:", "blob:"}
    assert "unsafe" not in allowed
    assert f"<style>{own.style}</style>" in page
    assert f"<script>{own.script}</script>" in page
    assert allowed == policy(own.style, own.script)
    assert ("meta", {"name": "referrer", "content": "no-referrer"}) in found


def test_s35_the_policy_stands_before_everything_that_it_governs() -> None:
    tags = [(tag, attributes) for tag, attributes in elements(parts().page).found]
    first = next(i for i, (_, attributes) in enumerate(tags) if attributes.get("http-equiv"))

    assert not {tag for tag, _ in tags[:first]} & {"script", "style", "link", "img"}


def test_s35_the_page_itself_has_no_inline_handler_no_inline_style_and_nothing_from_elsewhere() -> None:
    own = parts()

    assert not re.search(r"\son\w+\s*=|\sstyle\s*=|javascript:", own.page)
    assert not re.search(r"</(script|style)|<!--", own.script + own.style, re.IGNORECASE)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", own.script)
    assert not re.search(r"url\(\s*['\"]?(?!data:|#)|@import", own.style)


def test_s35_a_template_in_the_data_is_not_rendered() -> None:
    plain = {"title": "{{ 7 * 7 }}", "emulated": False, "finished": True, "refresh_s": None, "shots": []}

    page = page_of(plain, Parts(page="<p>{{ title }}</p>{{ data }}", style="", script=""))

    assert page.startswith("<p>{{ 7 * 7 }}</p>")
    assert "49" not in page


# S36: links lead to our own pictures alone.

WAYS_OUT = [
    "javascript:alert(1)",
    "javascript:alert(1)/../a.png",
    "data:text/html,x.png",
    "../secret.png",
    "a/../../secret.png",
    "/etc/hostname.png",
    "//evil.example/a.png",
    "https://evil.example/a.png",
    "C:\\secret.png",
    "C:/secret.png",
    "..\\secret.png",
    "a\\..\\secret.png",
    ".flux2batch/journal.db",
    ".sheet/a.png",
    "page.html",
    "page.svg",
    "a.png\x00.html",
    "a\n.png",
    "",
    ".",
    "a//b.png",
    "con.png",
]


@pytest.mark.parametrize("path", WAYS_OUT, ids=names(WAYS_OUT))
def test_s36_no_cell_links_to_anything_but_a_picture_of_the_run_directory(tmp_path: Path, path: str) -> None:
    put(tmp_path / "secret.png", picture(9))
    shot = Shot(id=id_of(1), coordinates={}, path="a.png")
    root = run_directory(tmp_path / "run", [shot])
    for name in ("page.html", "page.svg", ".sheet/a.png"):
        put(root / name, picture(9))
    hostile_saved(root, shot, path)

    data = data_of(root)
    (cell,) = data["shots"]

    assert cell[data["columns"].index("file")] is None
    assert cell[data["columns"].index("thumb")] is None
    assert cell[data["columns"].index("state")] == "missing"


def hostile_saved(root: Path, shot: Shot, path: str) -> None:
    """The journal says that the shot's picture lies there."""
    from contextlib import closing
    from dataclasses import replace

    from recorded_runs import AT

    from flux2batch.engine.events import Moved
    from flux2batch.engine.journal import Journal
    from flux2batch.engine.run_directory import journal_of
    from flux2batch.planning.shot import ShotId

    with closing(Journal.open(journal_of(root), driving=True)) as journal:
        journal.append([(ShotId(shot.id), Moved(saved=(replace(shot.saved(0), path=path),)))], at=AT)


def data_of(root: Path) -> dict[str, Any]:
    return dict(json.loads(elements(write_sheet(root).path.read_text(encoding="utf-8")).scripts[0]))


@pytest.mark.parametrize("sha256", ["../../../../x", "<script>", "", "A" * 64, "0123456789abcde/", "\u0660" * 64])
def test_s36_a_thumbnail_is_named_by_a_hash_or_not_made(tmp_path: Path, sha256: str) -> None:
    from contextlib import closing
    from dataclasses import replace

    from recorded_runs import AT

    from flux2batch.engine.events import Moved
    from flux2batch.engine.journal import Journal
    from flux2batch.engine.run_directory import journal_of
    from flux2batch.planning.shot import ShotId

    shot = Shot(id=id_of(1), coordinates={}, path="a.png")
    root = run_directory(tmp_path / "run", [shot])
    with closing(Journal.open(journal_of(root), driving=True)) as journal:
        journal.append([(ShotId(shot.id), Moved(saved=(replace(shot.saved(0), sha256=sha256),)))], at=AT)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}

    data = data_of(root)

    assert data["shots"][0][data["columns"].index("thumb")] is None
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert {path.name for path in made if path.suffix in (".jpg", ".webp")} == set()


@pytest.mark.parametrize("path", WAYS_OUT, ids=names(WAYS_OUT))
def test_s36_nothing_but_a_picture_of_the_run_directory_is_exported_or_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "secret.png", picture(9))
    shots = grid(subject=["fox", "owl"])
    root = run_directory(tmp_path / "run", shots)
    for name in ("page.html", "page.svg", ".sheet/a.png"):
        put(root / name, picture(9))
    hostile_saved(root, shots[0], path)

    assert cli.run(["export", "run", "--to", "out", "--zip", "out.zip"]) == 0
    assert cli.run(["sheet", "run", "--zip", "sheet.zip"]) == 0

    assert {file.name for file in (tmp_path / "out").rglob("*")} == {"owl.png", "manifest.csv"}
    for name in ("out.zip", "sheet.zip"):
        with zipfile.ZipFile(name) as packed:
            inside = [entry for entry in packed.namelist() if ".sheet/" not in entry]
        assert {entry.split("/", 1)[1] for entry in inside} <= {"owl.png", "manifest.csv", "index.html"}


# S37: a picture that is also something else.


def polyglot(kind: str) -> bytes:
    """A picture that decodes, with a page in its texts and another behind its end."""
    buffer = io.BytesIO()
    page = f"<html><script>alert('{CANARY}')</script></html>"
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", page)
    exif = Image.Exif()
    exif[0x010E] = page
    said = {"pnginfo": told} if kind == "PNG" else {"comment": page.encode(), "exif": exif}
    Image.new("RGB", (64, 48), "red").save(buffer, kind, **said)
    return buffer.getvalue() + f"<html><script>alert('{CANARY}')</script></html>".encode()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_s37_thumbnails_hold_pixels_alone(tmp_path: Path, kind: str) -> None:
    shot = Shot(id=id_of(1), coordinates={}, path="a.png", content=polyglot(kind))
    root = run_directory(tmp_path / "run", [shot])

    write_sheet(root)
    thumbnails = list((root / ".sheet").iterdir())

    assert CANARY.encode() in (root / "a.png").read_bytes()
    assert len(thumbnails) == 2
    for file in thumbnails:
        assert CANARY.encode() not in file.read_bytes()
        with Image.open(file) as image:
            assert image.format == "JPEG"


@pytest.mark.parametrize(
    "content",
    [
        b"<html><script>alert(1)</script></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"GIF89a/*<script>alert(1)</script>*/",
        b"%PDF-1.7 <script>",
        b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script>",
        b"",
    ],
)
def test_s37_what_is_no_picture_gets_no_thumbnail_whatever_it_is_called(tmp_path: Path, content: bytes) -> None:
    shot = Shot(id=id_of(1), coordinates={}, path="a.png")
    root = run_directory(tmp_path / "run", [shot])
    (root / "a.png").write_bytes(content)

    data = data_of(root)

    assert data["shots"][0][data["columns"].index("thumb")] is None
    assert not (root / ".sheet").exists() or not list((root / ".sheet").iterdir())


# S38: no table runs anything.

FORMULAS = [
    "=cmd|'/c calc'!A1", "+1+cmd|'/c calc'!A1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1",
    "＝1", "＋1", "－1", "＠SUM(A1)", "  =1", '=HYPERLINK("https://evil.example")', '"=1', "=1\n=2",
]  # fmt: skip
_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@pytest.mark.parametrize("text", FORMULAS, ids=names(FORMULAS))
def test_s38_no_cell_of_a_manifest_begins_a_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    shot = Shot(id=id_of(1), coordinates={text: text}, path="=1+1.png", prompt=text, params={"seed": -5}, model=text)
    run_directory(tmp_path / "run", [shot])
    Path("picks.yaml").write_text(f"picks: 1\nshots:\n- {{id: {shot.id}, rating: 3, note: {json.dumps(text)}}}\n")

    assert cli.run(["export", "run", "--picks", "picks.yaml", "--to", "out"]) == 0
    written = Path("out/manifest.csv").read_bytes().decode()
    (row,) = csv.DictReader(io.StringIO(written, newline=""))

    texts = {name: row[name] for name in ("path", "coordinates", "prompt", "note", "model")}
    assert not [name for name, cell in texts.items() if cell.lstrip(" ").startswith(_BEGINS)], texts
    assert texts["prompt"] in (text, f"'{text}")
    assert texts["note"] == texts["prompt"]


def test_s38_texts_are_quoted_and_numbers_are_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shot = Shot(id=id_of(1), coordinates={}, path="a.png", prompt=";=1", params={"seed": -5})
    run_directory(tmp_path / "run", [shot])

    cli.run(["export", "run", "--to", "out"])
    (line,) = Path("out/manifest.csv").read_text(encoding="utf-8").splitlines()[1:]

    assert line == f'"a.png","",";=1",-5,"64x48",0.06,,,"bfl/flux-2-flex","{shot.id}"'
