"""Bytes and JSON made bad on purpose: the same for one chance, whatever they are the bytes of."""

from __future__ import annotations

import copy
import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

_BAD = (b"\xff", b"\x00", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x1b[31m", b"\x80", b"\r", b"\n", b"\t", b"\x85")
_WORDS = (
    *(
        b"",
        b"0",
        b"-1",
        b"007",
        b"1e999",
        b"NaN",
        b"9" * 30,
        b"1.5",
        b"null",
        b"true",
        b'"',
        b"'",
        b",",
        b";",
        b"{",
        b"}",
    ),
    *(b"[", b"]", b"[[", b"[" * 70, b"{{ x }}", b"{{", b"=1+1", b"@SUM(A1)", b"#REF!", b"\\", b"\\u0000", b"\\ud800"),
    *("\u202e".encode(), "\u200b".encode(), "字".encode(), b"a" * 300, b"../x", b"/etc/passwd", b"http://127.0.0.1/"),
)


def mangled(raw: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """One to four changes to the bytes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        raw = chance.choice(_CHANGES)(raw, chance, others)
    return raw


def _span(raw: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randint(0, len(raw))
    return start, min(len(raw), start + chance.choice((0, 1, 1, 2, 4, 16, 80)))


def _flip(raw: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    if not raw:
        return raw
    at = chance.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ (1 << chance.randrange(8))]) + raw[at + 1 :]


def _replace(raw: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    start, end = _span(raw, chance)
    return raw[:start] + chance.choice((chance.randbytes(1), chance.randbytes(4), *_BAD, *_WORDS)) + raw[end:]


def _overwrite(raw: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    start, end = _span(raw, chance)
    filler = chance.choice((b"\x00", b"\xff", b"A", chance.randbytes(1)))
    return raw[:start] + filler * (end - start) + raw[end:]


def _truncate(raw: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    return raw[: chance.randint(0, len(raw))]


def _repeat(raw: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    start, end = _span(raw, chance)
    return raw[:start] + raw[start:end] * chance.choice((2, 3, 50, 300)) + raw[end:]


def _splice(raw: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others) if others else raw
    return raw[: chance.randint(0, len(raw))] + other[chance.randint(0, len(other)) :]


def _swap_lines(raw: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    lines = raw.split(b"\n")
    one, two = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    return b"\n".join(lines)


_CHANGES: tuple[Callable[[bytes, random.Random, Sequence[bytes]], bytes], ...] = (
    *(_flip, _flip, _replace, _replace, _replace, _overwrite, _truncate, _repeat, _splice, _swap_lines),
)


# --- JSON -----------------------------------------------------------------------------------------------------------

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, -0.0, 0.1, 1e308, float("nan"), float("inf")),
    *(
        "",
        " ",
        "0",
        "-1",
        "1e999",
        "NaN",
        "a" * 5000,
        "\x00",
        "\x1b[31m",
        "\u202e",
        "字",
        "\ud800",
        "../x",
        "http://[::1",
    ),
    *(
        "https://api.bfl.ai/v1/x",
        "https://evil.example/",
        "http://127.0.0.1:9/",
        "data:image/png;base64,AAAA",
        "file:///x",
    ),
    *([], {}, [[]], [None], {"a": {}}, [{}] * 3, {"detail": "x"}, {"": 0}, [1, "a", None, {}]),
)


def mangled_json(value: Any, chance: random.Random) -> Any:
    """A value somewhere in it is another, gone, or there twice."""
    value = json.loads(json.dumps(value))
    for _ in range(chance.choice((1, 1, 2, 3))):
        places = list(_places(value))
        if not places:
            return copy.deepcopy(chance.choice(_VALUES))
        holder, key = chance.choice(places)
        match chance.randrange(5):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[str(key) + chance.choice(("", "x", " "))] = holder.pop(key)
            case 2 if isinstance(holder, list):
                holder.append(holder[key])
            case 3:
                holder[key] = {"a": holder[key]} if chance.random() < 0.5 else [holder[key]]
            case _:
                holder[key] = copy.deepcopy(chance.choice(_VALUES))
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return [(value, key) for key in value] + [one for inner in value.values() for one in _places(inner)]
    if isinstance(value, list):
        return [(value, key) for key in range(len(value))] + [one for inner in value for one in _places(inner)]
    return []


# --- PNG ------------------------------------------------------------------------------------------------------------


def mangled_png(raw: bytes, chance: random.Random) -> bytes:
    """A change inside of one chunk, whose checksum is then made right: the decoder itself gets to see it."""
    chunks = []
    at = 8
    while at + 12 <= len(raw):
        (length,) = struct.unpack(">I", raw[at : at + 4])
        chunks.append((raw[at + 4 : at + 8], raw[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks:
        return mangled(raw, chance, ())
    number = chance.randrange(len(chunks))
    name, content = chunks[number]
    match chance.randrange(5):
        case 0:
            del chunks[number]
        case 1:
            chunks.insert(chance.randint(0, len(chunks)), (name, content))
        case 2:
            chunks.insert(
                number, (chance.choice((b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fdAT", b"IDAT")), content)
            )
        case _:
            chunks[number] = (name, mangled(content, chance, ()))
    return raw[:8] + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
