"""Say what a file that is no PNG, JPEG or WebP seems to be, by its first bytes."""

from __future__ import annotations

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "GIF"),
    (b"8BPS", "a Photoshop document"),
    (b"II*\0", "TIFF or a camera's raw picture"),
    (b"MM\0*", "TIFF or a camera's raw picture"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"%PDF", "PDF"),
    (b"BM", "BMP"),
    (b"icns", "an Apple icon"),
    (b"\0\0\1\0", "a Windows icon"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xffO\xffQ", "JPEG 2000"),
    (b"gimp xcf", "a GIMP document"),
    (b"qoif", "QOI"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"RIFF", "a sound or a film"),
    (b"PK\3\4", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"SQLite format 3\0", "a database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"-----BEGIN ", "a key or certificate"),
    (b"version https://git-lfs", "a pointer of Git LFS, whose picture was not fetched"),
)

_BRANDS = {
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"heim": "HEIC",
    b"heis": "HEIC",
    b"hevc": "HEIC",
    b"hevx": "HEIC",
    b"mif1": "HEIF",
    b"msf1": "HEIF",
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"crx ": "a camera's raw picture",
}


def looks_like(content: bytes) -> str:
    """A few words for a message. They name a kind and quote nothing: the file may be a secret by mistake."""
    if not content:
        return "it is empty"
    if content[4:8] == b"ftyp":
        return f"it starts like {_BRANDS.get(content[8:12], 'a film')}"
    for beginning, kind in _BEGINNINGS:
        if content.startswith(beginning):
            return f"it starts like {kind}"
    return _of_text(content[:4096])


def _of_text(head: bytes) -> str:
    text = head.decode("utf-8", errors="ignore").lstrip("\ufeff \t\r\n").lower()
    if b"\0" in head:
        return "its first bytes are those of no picture"
    if text.startswith("<svg") or (text.startswith(("<?xml", "<!doctype svg", "<!--")) and "<svg" in text):
        return "it starts like SVG"
    if text.startswith(("<!doctype html", "<html")):
        return "it starts like a web page"
    return "it is text" if _is_text(head) else "its first bytes are those of no picture"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as problem:
        if problem.start < len(head) - 4:  # more than a character cut in two at the end of the head
            return False
        text = head[: problem.start].decode("utf-8")
    return all(character.isprintable() or character in "\r\n\t\f" for character in text)
