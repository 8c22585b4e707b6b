"""Bytes to text: encodings, what is no text at all, and characters that no text should hold."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from flux2batch.reading.problems import Problem, error
from flux2batch.reading.source import Source, source_of

MAX_BYTES = 1_000_000

# What stands in for a character that was refused, so that the reading can go on and every offset stays true.
STAND_IN = "\ufffd"

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"8BPS", "a Photoshop file"),
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive (or a workbook)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\x00", "a program"),
)
_WIDE: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_SAVE_AS_UTF8 = "save the file as UTF-8"

# C0 without tab and line breaks, DEL, C1, lone halves of a surrogate pair, and the code points that are no characters.
CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "]"
)
_MOSTLY_CONTROL = 0.1
_MAX_EACH = 50  # of one kind of problem in one file: more than that is one cause, not many


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The text, with a stand-in for each character that was refused, and what was wrong with it."""

    source: Source
    problems: tuple[Problem, ...]


def decode(raw: bytes, *, name: str) -> Decoded:
    """The text in these bytes; what is no text at all becomes the empty text and a problem."""
    too_large = refuse_size(len(raw), name=name)
    if too_large:
        return _nothing(too_large, name)
    kind = _kind(raw)
    if kind:
        return _nothing(_at_start("FB103", f"looks like {kind}, not YAML", name, help=_NAME_A_JOB), name)
    wide = _wide_encoding(raw)
    if wide:
        return _nothing(_at_start("FB115", f"the file is {wide}, not UTF-8", name, help=_SAVE_AS_UTF8), name)
    return _narrow(raw.removeprefix(codecs.BOM_UTF8), name)


def refuse_size(size: int, *, name: str) -> Problem | None:
    """The problem with a file of that many bytes, if it is one."""
    if size <= MAX_BYTES:
        return None
    return _at_start(
        "FB104", "the file is larger than 1 MB", name, help="keep long lists in a table and name it under 'data'"
    )


_NAME_A_JOB = "name a job file; 'flux2batch init' writes a first one"


def _at_start(code: str, message: str, name: str, *, help: str) -> Problem:
    return error(code, message, where=source_of("", name=name).place(0, 0), help=help)


def _nothing(problem: Problem, name: str) -> Decoded:
    return Decoded(source=source_of("", name=name), problems=(problem,))


def _kind(raw: bytes) -> str | None:
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "a WebP image"
    if raw[4:8] == b"ftyp":
        return "a HEIC or AVIF image, or a video"
    found = next((kind for magic, kind in _MAGIC if raw.startswith(magic)), None)
    if found or _wide_encoding(raw):
        return found
    head = raw[:4096].lstrip()[:15].lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    if head.startswith((b"<?xml", b"<svg")):
        return "an XML or SVG file"
    sample = raw[:4096]
    controls = sum(byte < 32 and byte not in b"\t\n\r\x1b" for byte in sample)
    return "binary data" if len(sample) >= 32 and controls > len(sample) * _MOSTLY_CONTROL else None


def _wide_encoding(raw: bytes) -> str | None:
    """UTF-16 and UTF-32, with their mark or, as every second byte of Latin text is NUL, without."""
    marked = next((encoding for mark, encoding in _WIDE if raw.startswith(mark)), None)
    if marked:
        return marked
    sample = raw[:512]
    if len(sample) < 8 or b"\0" not in sample:
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    looks_wide = max(even, odd) > half * 0.7 and min(even, odd) < half * 0.3
    return "UTF-16" if looks_wide else None


def _narrow(raw: bytes, name: str) -> Decoded:
    text = raw.decode("utf-8", errors="surrogateescape")
    if not CONTROL.search(text):
        return Decoded(source=source_of(text, name=name), problems=())
    shown = source_of(CONTROL.sub(STAND_IN, text), name=name)
    refused = [found.start() for found in CONTROL.finditer(text)]
    bytes_ = [at for at in refused if "\udc80" <= text[at] <= "\udcff"]
    controls = [at for at in refused if not "\udc80" <= text[at] <= "\udcff"]
    problems = [*_bad_bytes(text, bytes_, shown), *_controls(text, controls, shown)]
    return Decoded(source=shown, problems=tuple(problems))


def _bad_bytes(text: str, places: list[int], shown: Source) -> Iterator[Problem]:
    """One problem for all of them: they have one cause."""
    if not places:
        return
    byte = ord(text[places[0]]) - 0xDC00
    guess = bytes([byte]).decode("cp1252", errors="ignore")
    meant = f"; in Latin-1 that is '{guess}'" if guess.isprintable() and guess else ""
    more = [f"{len(places) - 1:,} more such bytes in the file"] if len(places) > 1 else []
    yield error(
        "FB115",
        f"the byte 0x{byte:02X} is not UTF-8{meant}",
        where=shown.place(places[0], places[0] + 1),
        help=_SAVE_AS_UTF8,
        notes=more,
    )


def _controls(text: str, places: list[int], shown: Source) -> Iterator[Problem]:
    for at in places[:_MAX_EACH]:
        yield error(
            "FB116",
            f"{control_name(text[at])} in the text",
            where=shown.place(at, at + 1),
            help="delete it; it cannot be seen in most editors",
        )


def control_name(character: str) -> str:
    """'control character U+0007 (BELL)'."""
    code = ord(character)
    what = "half a character" if 0xD800 <= code <= 0xDFFF else "control character"
    label = _CONTROL_NAMES.get(code) or unicodedata.name(character, "")
    return f"{what} U+{code:04X}" + (f" ({label})" if label else "")


_CONTROL_NAMES = {0: "NUL", 7: "BELL", 8: "BACKSPACE", 11: "VERTICAL TAB", 12: "FORM FEED", 27: "ESCAPE", 127: "DELETE",
                  0x85: "NEXT LINE"}  # fmt: skip
