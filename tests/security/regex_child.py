"""Every regular expression that reads text from outside, against long texts that are made to hurt it; JSON on stdout.

Run in a process of its own, with the length of the texts as its argument.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import flux2batch

_HARD_STOP_S = 0.15  # of this process's own time, for one expression and one text
_LONG = int(sys.argv[1])
_LEFT_OUT = (
    "flux2batch.providers.local", "flux2batch.__main__",  # extras; runs when it is imported
    "flux2batch.emulator", "flux2batch.planning.configuration_file",  # read what the user himself wrote
)  # fmt: skip
_NAMES_OF_FILES = ("flux2batch.pictures.placing._PART",)  # at most 255 bytes long
_PIECES = (
    "a", " ", "\t", "\n", "0", "9", "-", "_", ".", ",", ":", "/", "\\", "'", '"', "{", "}", "{{", "}}", "[", "]",
    "(", ")", "<", "=", "a=", "a ", "a.", "0.", "1e", "a-", "é", "\u202e", " #", "$", "a@", "${", "{%", "Key ", "https://",
    "bfl_", "%0", "x: ", "- ", "|", "\r\n", "00000000-",
)  # fmt: skip
_HOME = Path(flux2batch.__path__[0])
_SOURCES = {
    ".".join(("flux2batch", *path.relative_to(_HOME).with_suffix("").parts)): path.read_text(encoding="utf-8")
    for path in _HOME.rglob("*.py")
}
_WAYS: dict[str, Callable[[Any, Any], object]] = {
    "match": lambda pattern, text: pattern.match(text),
    "fullmatch": lambda pattern, text: pattern.fullmatch(text),
    "search": lambda pattern, text: pattern.search(text),
    "finditer": lambda pattern, text: sum(1 for _ in pattern.finditer(text)),
    "findall": lambda pattern, text: len(pattern.findall(text)),
    "sub": lambda pattern, text: pattern.sub(lambda _: "", text),
    "split": lambda pattern, text: len(pattern.split(text)),
}


class _Endless(Exception):
    pass


def main() -> None:
    signal.signal(signal.SIGVTALRM, _stop)
    texts = [(piece * _LONG)[:_LONG] for piece in _PIECES]
    texts += [f"{text}!" for text in texts]
    endless: list[str] = []
    tried = 0
    for name, pattern in _patterns():
        tried += 1
        subjects = texts if isinstance(pattern.pattern, str) else [text.encode() for text in texts]
        endless += [f"{name}.{way}" for way in _ways(name) if not _ends(_WAYS[way], pattern, subjects)]
    print(json.dumps({"tried": tried, "endless": endless}))


def _ends(way: Callable[[Any, Any], object], pattern: Any, subjects: list[Any]) -> bool:
    try:
        for subject in subjects:
            signal.setitimer(signal.ITIMER_VIRTUAL, _HARD_STOP_S)
            way(pattern, subject)
    except _Endless:
        return False
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return True


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _Endless


def _ways(name: str) -> list[str]:
    """How the product uses the expression: what is only ever matched from the beginning is not searched for here."""
    module, _, short = name.partition("[")[0].rpartition(".")
    own = _SOURCES.get(module, "") if short.startswith("_") else ""
    source = own or "\n".join(_SOURCES.values())
    return sorted(way for way in _WAYS if re.search(rf"\b{short}\.{way}\(", source)) or ["search"]


def _patterns() -> Iterator[tuple[str, re.Pattern[str] | re.Pattern[bytes]]]:
    seen: set[str] = set()
    for found in pkgutil.walk_packages(flux2batch.__path__, "flux2batch."):
        if found.name.startswith(_LEFT_OUT):
            continue
        module = importlib.import_module(found.name)
        for where, value in _values(module):
            name = f"{found.name}.{where}"
            if isinstance(value, re.Pattern) and repr(value) not in seen and name not in _NAMES_OF_FILES:
                seen.add(repr(value))
                yield name, value


def _values(module: ModuleType) -> Iterator[tuple[str, object]]:
    for name, value in vars(module).items():
        yield name, value
        if isinstance(value, (tuple, list)):
            yield from ((f"{name}[{number}]", each) for number, each in enumerate(value))
        elif isinstance(value, dict):
            yield from ((f"{name}[{key!r}]", each) for key, each in value.items())
        elif isinstance(value, type) and value.__module__ == module.__name__:
            yield from ((f"{name}.{inner}", each) for inner, each in vars(value).items())


if __name__ == "__main__":
    main()
