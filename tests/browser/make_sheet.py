"""Sheets to try the page with: their data in the contract's shape, and small coloured pictures beside them.

python tests/browser/make_sheet.py FOLDER NAME… writes FOLDER/NAME/index.html, to look at by hand.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
import itertools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from flux2batch.pictures.thumbnails import LARGE, SMALL
from flux2batch.reporting.sheet_data import COLUMNS
from flux2batch.reporting.sheet_page import page_of

Data = dict[str, Any]
Painter = Callable[[str, int, int], Image.Image]


def coloured(text: str, width: int, height: int) -> Image.Image:
    """A picture that is told from others at a glance, and costs next to nothing."""
    turn = int(hashlib.sha256(text.encode()).hexdigest()[:6], 16) / 0xFFFFFF
    picture = Image.new("RGB", (width, height), _rgb(turn, 0.45, 0.55))
    pen = ImageDraw.Draw(picture)
    pen.ellipse([width * 0.2, height * 0.25, width * 0.75, height * 0.8], fill=_rgb(turn + 0.4, 0.6, 0.5))
    pen.rectangle([0, height * 0.7, width, height], fill=_rgb(turn + 0.08, 0.3, 0.5))
    return picture


def _rgb(turn: float, light: float, strong: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(turn % 1, light, strong)
    return round(red * 255), round(green * 255), round(blue * 255)


class Sheet:
    """A sheet that is being made: shots are added one by one, and `write` puts page and pictures into a folder."""

    def __init__(self, title: str, axes: Sequence[tuple[str, Sequence[Any]]], view: Mapping[str, Any], **more: Any):
        self._texts: dict[str, int] = {}
        self._pictures: list[tuple[str, str | None, int, int, str]] = []
        self._originals = True
        self.axes = axes
        self.data: Data = {
            "schema_version": 1,
            "title": title,
            "written": "2026-05-04T18:00:00+00:00",
            "finished": True,
            "emulated": False,
            "refresh_s": None,
            "storage_key": f"flux2batch:{title}",
            "runs": [{"name": title, "path": ".", "command": "flux2batch run job.yaml"}],
            "axes": [_axis(name, values) for name, values in axes],
            "view": {"x": None, "y": None, "rows": [], "cols": [], "cycle": None, "caption": ["coordinates"], **view},
            "params": [{"model": "bfl/flux-2-flex", "width": 1024, "height": 1024, "safety_tolerance": 2}],
            "references": [],
            "columns": list(COLUMNS),
            "shots": [],
            "picks": None,
            "inline": None,
            **more,
        }

    def text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts)) if text else -1

    def shot(self, at: Sequence[int], *, prompt: str, file: str, **more: Any) -> None:
        """Add a cell. Without a state it is done, and has a picture."""
        row: dict[str, Any] = {
            "id": hashlib.sha256(f"{prompt}{list(at)}{more.get('seed')}".encode()).hexdigest()[:32],
            "c": list(at), "state": "done", "file": file, "thumb": None, "w": 1024, "h": 1024,
            "prompt": self.text(prompt), "final": -1, "reason": -1, "params": 0, "refs": [], "seed": None,
            "usd": "0.06", "at_risk": None, "seconds": 11.4, "task": None, "index": len(self.data["shots"]),
        }  # fmt: skip
        row |= {name: self.text(value) if name in ("final", "reason") else value for name, value in more.items()}
        if row["state"] == "done":
            row["thumb"] = row["thumb"] or hashlib.sha256(row["id"].encode()).hexdigest()[:16]
            self._pictures.append((row["thumb"], row["file"], row["w"], row["h"], prompt + str(row["seed"])))
        else:
            row["file"] = None
            row["usd"] = None
        self.data["shots"].append([row[name] for name in COLUMNS])

    def write(self, folder: Path, *, painter: Painter = coloured, originals: bool = True, faces: int = 0) -> Path:
        """The page; with `faces` only as many pictures are drawn, and used in turn."""
        self.data["texts"] = list(self._texts)
        thumbnails = folder / ".sheet"
        thumbnails.mkdir(parents=True, exist_ok=True)
        drawn: list[tuple[bytes, bytes, bytes]] = []
        for number, (key, file, width, height, text) in enumerate(self._pictures):
            if not faces or number < faces:
                picture = painter(text, width, height)
                drawn.append((_jpeg(picture, SMALL), _jpeg(picture, LARGE), _png(picture)))
            small, large, original = drawn[number % len(drawn)]
            (thumbnails / f"{key}-s.jpg").write_bytes(small)
            (thumbnails / f"{key}-l.jpg").write_bytes(large)
            if originals and file:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes(original)
        page = folder / "index.html"
        page.write_text(page_of(self.data), encoding="utf-8")
        return page


def _axis(name: str, values: Sequence[Any]) -> Data:
    made = [value if isinstance(value, dict) else {"id": str(value), "label": str(value)} for value in values]
    kind = name if name in ("run", "version", "repeat", "frame") else "job"
    return {"name": name, "title": name, "kind": kind, "numeric": False, "values": made}


def _jpeg(picture: Image.Image, side: int) -> bytes:

    small = picture.convert("RGB")
    small.thumbnail((side, side))
    written = io.BytesIO()
    small.save(written, format="JPEG", quality=82)
    return written.getvalue()


def _png(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, format="PNG", compress_level=1)
    return written.getvalue()


def _points(axes: Sequence[tuple[str, Sequence[Any]]]) -> Iterable[tuple[int, ...]]:
    return itertools.product(*(range(len(values)) for _, values in axes))


SUBJECTS = ({"id": "fox", "label": "fox"}, {"id": "clock", "label": "clock"})
SUBJECT_TEXTS = ("a red fox asleep in fresh snow", "a brass clock, the word TEMPO on its dial")
LIGHTS = ({"id": "overcast-light", "label": "overcast light"}, {"id": "low-golden-sun", "label": "low golden sun"})


def experiment(**more: Any) -> Sheet:
    """Subject × light × guidance × steps × seed, less a corner; two shots moderated, one failed."""
    guidance, steps, seeds = ("2.0", "3.0", "4.0", "5.0"), ("20", "35", "50"), ("101", "102", "103")
    axes = [("subject", SUBJECTS), ("light", LIGHTS), ("guidance", guidance), ("steps", steps), ("seed", seeds)]
    view = {"x": "guidance", "y": "steps", "rows": ["subject", "light"], "cycle": "seed"}
    sheet = Sheet("flex-guidance-study", axes, view, **more)
    sheet.data["params"] = [
        {"model": "bfl/flux-2-flex", "width": 1024, "height": 1024, "guidance": float(g), "steps": int(s)}
        for g in guidance
        for s in steps
    ]
    wrong = {
        (0, 0, 1, 1, 0): ("moderated", "Request Moderated: the picture was withheld (Derivative Works Filter)"),
        (1, 1, 2, 0, 0): ("moderated", "Content Moderated"),
        (0, 0, 3, 2, 0): ("failed", "the service said: internal error while rendering, task abandoned after 3 tries"),
    }
    for at in _points(axes):
        subject, light, g, s, seed = at
        if s == 0 and g == 3:
            continue
        file = f"{SUBJECTS[subject]['id']}/{LIGHTS[light]['label']}/g{guidance[g]}-s{steps[s]}-{seeds[seed]}.png"
        state, reason = wrong.get(at, ("done", ""))
        sheet.shot(
            at, prompt=f"{SUBJECT_TEXTS[subject]}, {LIGHTS[light]['label']}", file=file, seed=101 + seed, state=state,
            reason=reason, params=g * 3 + s, task=f"3f0c9a{len(sheet.data['shots']):04x}",
        )  # fmt: skip
    return sheet


def campaign(**more: Any) -> Sheet:
    """Products × languages × formats of three shapes, with references."""
    formats = [
        ({"id": "feed", "label": "Feed 4:5"}, 1080, 1350),
        ({"id": "story", "label": "Story 9:16"}, 1080, 1920),
        ({"id": "banner", "label": "Banner 1.91:1"}, 1200, 628),
    ]
    axes = [
        ("product", ("mug-01", "tote-02", "cap-03")),
        ("locale", ("en", "de", "fr")),
        ("format", [one for one, _, _ in formats]),
    ]
    sheet = Sheet("Summer campaign", axes, {"x": "format", "y": "product", "rows": ["locale"]}, **more)
    sheet.data["params"] = [
        {"model": "bfl/flux-2-pro", "width": -(-w // 16) * 16, "height": -(-h // 16) * 16} for _, w, h in formats
    ]
    sheet.data["references"] = [
        {"name": "pack", "kind": "file", "source": "refs/mug.png", "thumb": None},
        {"name": "blue", "kind": "color", "source": "#0047AB", "thumb": None},
    ]
    names = ("enamel mug", "canvas tote bag", "cotton cap")
    for at in _points(axes):
        product, locale, shape = at
        if product == 2 and locale == 2:
            continue
        _, width, height = formats[shape]
        sheet.shot(
            at, prompt=f"The {names[product]} of image 1, color #0047AB, high summer, {('en', 'de', 'fr')[locale]}",
            file=f"{('en', 'de', 'fr')[locale]}/{axes[0][1][product]}-{formats[shape][0]['id']}.png", seed=7 + product,
            w=width, h=height, params=shape, refs=[0, 1], usd="0.075",
        )  # fmt: skip
    return sheet


def plain(**more: Any) -> Sheet:
    """A job without axes: one shot, asked for four times, in every state there is."""
    sheet = Sheet("one-boat", [], {}, **more)
    states = ("done", "done", "done", "moderated", "rejected", "failed", "unknown", "lost", "stalled", "planned",
              "in_flight", "missing")  # fmt: skip
    for number, state in enumerate(states):
        reason = "" if state == "done" else f"this is why it is {state}"
        sheet.shot(
            [], prompt=f"a paper boat, number {number}", file=f"boat-{number}.png", seed=number, state=state,
            reason=reason, usd=f"0.0{number + 1}", seconds=20.0 - number,
        )  # fmt: skip
    return sheet


def runs(**more: Any) -> Sheet:
    """Two runs side by side; in one row their pictures are the same."""
    axes = [("run", ("draft", "final")), ("subject", SUBJECTS), ("seed", ("1", "2"))]
    sheet = Sheet("draft · final", axes, {"x": "subject", "y": "seed", "cols": ["run"]}, **more)
    sheet.data["runs"] = [
        {"name": "draft", "path": ".", "command": "flux2batch run draft.yaml"},
        {"name": "final", "path": "../final", "command": "flux2batch run final.yaml"},
    ]
    for run, subject, seed in _points(axes):
        prompt = SUBJECT_TEXTS[subject] + ("" if seed == 0 else f", run {run}")
        thumb = hashlib.sha256(f"{prompt}{subject}{seed}".encode()).hexdigest()[:16]
        name = f"{SUBJECTS[subject]['id']}-{seed + 1}.png"
        sheet.shot(
            (run, subject, seed), prompt=prompt, file=name if run == 0 else f"../final/{name}", seed=seed + 1,
            thumb=thumb,
        )  # fmt: skip
    return sheet


def earlier(**more: Any) -> Sheet:
    """Pictures beside those that have replaced them."""
    axes = [("subject", SUBJECTS), ("version", ("now", "earlier"))]
    sheet = Sheet("edited-prompt", axes, {"y": "subject", "cols": ["version"]}, **more)
    for subject, version in _points(axes):
        name = f"{SUBJECTS[subject]['id']}.png"
        sheet.shot(
            (subject, version), prompt=SUBJECT_TEXTS[subject] + (", oil" if version else ", gouache"),
            file=f"earlier/{name[:-4]}-0a1b2c3d.png" if version else name, seed=1,
        )  # fmt: skip
    return sheet


def many(count: int, **more: Any) -> Sheet:
    """So many pictures, a hundred a row."""
    across = 100 if count >= 10_000 else 40
    axes = [("guidance", [f"{2 + i / 100:.2f}" for i in range(across)]), ("seed", range(1, count // across + 1))]
    sheet = Sheet(f"{count} pictures", axes, {"x": "guidance", "y": "seed"}, **more)
    for seed in range(count // across):
        for guidance in range(across):
            sheet.shot(
                (guidance, seed), prompt=f"a paper boat on a wide calm sea, guidance {guidance}", seed=seed + 1,
                file=f"g{guidance}-{seed}.png",
            )  # fmt: skip
    return sheet


HOSTILE = (
    "<script>alert(1)</script>", "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>",
    "\"><img src=x onerror=alert(1)>", "'><svg onload=alert(1)>", "<svg/onload=alert(1)>", "<!--",
    "--><b>bold</b>", "]]>", "<![CDATA[<b>]]>", "javascript:alert(1)", "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:msgbox(1)",
    "file:///etc/passwd", "//evil.example/x.png", "https://evil.example/x.png", "\\\\evil.example\\x",
    "../../../../etc/passwd", "/etc/passwd", "a/../../b", "{{ 7 * 7 }}", "{% raw %}{{ x }}{% endraw %}",
    "{# comment #}", "${alert(1)}", "`${alert(1)}`", "<%= 7 * 7 %>", "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;b&#62;", "&quot;&apos;&amp;", "&nbsp;&shy;", "' onmouseover='alert(1)",
    "\" onfocus=\"alert(1)\" autofocus=\"", "` onclick=`alert(1)", "style=position:fixed",
    "<style>*{display:none}</style>", "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content=0;url=https://evil.example>",
    "<iframe src=https://evil.example></iframe>", "<object data=x></object>",
    "<form action=https://evil.example>", "<a href=javascript:alert(1)>x</a>",
    "<math><mtext><script>alert(1)</script></mtext></math>", "<template><b></template>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">", "\u202egnp.exe\u202c",
    "\u2066x\u2067y\u2069", "abc\u0000def", "\u0001\u0002\u001b[31mred", "line\u2028separator\u2029here",
    "\ufeffmarked", "\u200bzero\u200dwidth", "مرحبا بالعالم", "שלום עולם", "👩‍👩‍👧‍👦🏳️‍🌈 family", "Ｆｕｌｌ　ｗｉｄｔｈ",
    "z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢", "a" * 3000, "💣" * 300, "__proto__", "constructor",
    "%3Cscript%3Ealert(1)%3C/script%3E", "%00%2e%2e%2f", "#hash?query&only.x=1", "null", "<", "\"", "'", "\\",
)  # fmt: skip
"""Texts that must stay texts."""


def hostile(**more: Any) -> Sheet:
    """Each hostile text as a prompt, a value's label, a reason, a reference and a final prompt."""
    values = [{"id": text, "label": text} for text in HOSTILE]
    sheet = Sheet('"><img src=x onerror=alert(1)>', [("text", values)], {"x": "text"}, **more)
    sheet.data["references"] = [
        {"name": text, "kind": "file", "source": text, "thumb": None if number % 2 else text}
        for number, text in enumerate(HOSTILE)
    ]
    for number, text in enumerate(HOSTILE):
        sheet.shot(
            [number], prompt=text, file=f"h{number}.png", seed=number, final=f"final {text}", task=text,
            refs=[number] if number % 2 else [], state="failed" if number % 3 == 0 else "done",
            reason=text if number % 3 == 0 else "",
        )  # fmt: skip
    return sheet


SHEETS: Mapping[str, Callable[[], Sheet]] = {
    "experiment": experiment,
    "campaign": campaign,
    "plain": plain,
    "runs": runs,
    "earlier": earlier,
    "hostile": hostile,
    "thousand": lambda: many(1000),
    "ten-thousand": lambda: many(10_000),
}


def main(folder: Path, names: Sequence[str]) -> None:
    for name in names or list(SHEETS):
        big = name.endswith("thousand")
        print(SHEETS[name]().write(folder / name, originals=not big, faces=48 if big else 0))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
