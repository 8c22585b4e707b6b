"""Make text from outside safe to show: what a terminal would obey, or an eye would miss, becomes a visible escape."""

from __future__ import annotations

import re

# Raw bytes of a prompt can move the cursor, rename the window or turn a line around. What is escaped:
_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f"  # C0 but tab and newline; a lone CR would overwrite the line
    "\x7f-\x9f"  # DEL and C1: \x9b is as good as ESC [
    "\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # zero-width, line separators, bidi controls
    "\u115f\u1160\u3164\uffa0"  # letters that draw nothing
    "\ufff9-\ufffb\U000e0000-\U000e007f"  # interlinear marks and tags: text that nobody sees
    "\ud800-\udfff"  # half a character, from a file name that is not UTF-8: could not be printed at all
    "]"
)
_JOINERS = "\u200c\u200d"  # Persian, Hindi and many emoji are misspelt without them


def safe(text: str) -> str:
    """The text with every control, direction-changing and zero-width character written out; newline and tab stay."""
    return _INVISIBLE.sub(_escape, text)


def safe_line(text: str) -> str:
    """The text as one line: newlines and tabs are written out as well, so that it cannot forge a second line."""
    return safe(text).replace("\n", "\\n").replace("\t", "\\t")


def safe_json(text: str) -> str:
    """The same JSON, with all of these characters as escapes of its own: it says what it said, and may be shown."""
    return _INVISIBLE.sub(_as_json_escape, text)


def spelt_out(error: UnicodeError) -> tuple[str, int]:
    """What a codec shall write for characters that it has not: escapes of JSON, so that JSON stays what it was."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_json_escape, error.object[error.start : error.end])), error.end


def legible(text: str, encoding: str) -> str:
    """The text with plainer signs in place of those of our own that this encoding has not."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(character if _has(encoding, character) else character.translate(_PLAINER) for character in text)
    return text


_PLAINER = str.maketrans("─━╌│├└✓✗●›→…–−·×±", "---||`+x*>>~--.x~")


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _as_json_escape(match: re.Match[str]) -> str:
    return _json_escape(match[0])


def _json_escape(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _JOINERS and _joins(match.string, match.start()):
        return character
    code = ord(character)
    if character == "\r":
        return "\\r"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _joins(text: str, at: int) -> bool:
    # Between two characters that are neither ASCII nor blank a joiner is spelling; anywhere else it only hides.
    neighbours = text[at - 1 : at] + text[at + 1 : at + 2]
    return len(neighbours) == 2 and all(ord(c) > 0x2FF and not _INVISIBLE.match(c) for c in neighbours)
