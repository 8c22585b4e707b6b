"""config.toml as settings with their places, or everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from flux2batch.money import Money
from flux2batch.planning.configuration_local import DTYPES, OFFLOADS, QUANTISED
from flux2batch.planning.models.pricing import PriceOverride
from flux2batch.reading.problems import Place, Problem, Steps, error
from flux2batch.reading.suggest import closest


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A setting as it was found."""

    value: Any
    origin: str
    place: Place | None


class _Wrong(ValueError):
    """What a value should have been, as the rest of a sentence that begins with its name."""


def _money(value: Any, _folder: Path) -> Money:
    amount = _decimal(value)
    if amount is None or amount < 0:
        raise _Wrong("must be an amount of US dollars such as 25 or 0.50")
    return Money(amount)


def _count(value: Any, _folder: Path) -> int:
    number = _decimal(value)
    if number is None or number != int(number) or number < 1:
        raise _Wrong("must be a whole number above 0")
    return int(number)


def _texts(value: Any, _folder: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise _Wrong('must be a list of texts, such as ["bfl/*"]')
    return tuple(value)


def _hosts(value: Any, folder: Path) -> tuple[str, ...]:
    return tuple(host.lower() for host in _texts(value, folder))


def _folders(value: Any, folder: Path) -> tuple[Path, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise _Wrong('must be a list of folders, such as ["~/brand"]')
    return tuple((folder / Path(each).expanduser()).resolve() for each in value)


def _base_url(value: Any, _folder: Path) -> str:
    url = urlsplit(value) if isinstance(value, str) else None
    if url is None or not url.hostname or url.scheme not in ("http", "https"):
        raise _Wrong("must be a URL such as https://api.bfl.ai")
    if url.username or url.password:
        raise _Wrong("must not have a name or a password in it")
    if url.query or url.fragment:
        raise _Wrong("must not have anything behind its path")
    if url.scheme == "http" and not is_loopback(value):
        raise _Wrong("must begin with https://: the key would be read on the way (http is for this machine alone)")
    return str(value).rstrip("/")


def _proxy(value: Any, _folder: Path) -> str:
    url = urlsplit(value) if isinstance(value, str) else None
    if url is None or not url.hostname or url.scheme != "http":  # what goes through it is encrypted all the same
        raise _Wrong("must be a URL such as http://proxy.example:3128")
    return str(value)


def _price(value: Any, _folder: Path) -> PriceOverride:
    if isinstance(value, dict):
        amounts = {str(name): _decimal(amount) for name, amount in value.items()}
        if amounts and all(amount is not None and amount >= 0 for amount in amounts.values()):
            return PriceOverride(
                flat=None, amounts=tuple((name, amount) for name, amount in amounts.items() if amount is not None)
            )
    flat = _decimal(value)
    if flat is None or flat < 0:
        raise _Wrong("must be dollars a picture such as 0.05, or its parts such as {first = 0.03, further = 0.015}")
    return PriceOverride(flat=flat, amounts=())


def _weights(value: Any, folder: Path) -> Mapping[str, Path]:
    if not isinstance(value, dict) or not all(isinstance(each, str) and each for each in value.values()):
        raise _Wrong('must name a folder for each model, such as {"local/flux-2-klein-4b" = "~/weights/klein"}')
    return {model: (folder / Path(each).expanduser()).resolve() for model, each in value.items()}


def _text(value: Any, _folder: Path) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong("must be text")
    return value.strip()


def _one_of(*words: str) -> Callable[[Any, Path], str]:
    def read(value: Any, _folder: Path) -> str:
        if value not in words:
            raise _Wrong(f"must be one of {', '.join(words)}")
        return str(value)

    return read


KEYS: Mapping[str, Callable[[Any, Path], Any]] = MappingProxyType(
    {
        "limits.per_run_usd": _money,
        "limits.per_day_usd": _money,
        "limits.max_shots": _count,
        "allow.models": _texts,
        "allow.hosts": _hosts,
        "allow.paths": _folders,
        "service.bfl.base_url": _base_url,
        "service.bfl.concurrency": _count,
        "service.bfl.proxy": _proxy,
        "service.fal.base_url": _base_url,
        "service.fal.concurrency": _count,
        "service.fal.proxy": _proxy,
        "service.local.weights": _weights,
        "service.local.device": _text,
        "service.local.dtype": _one_of(*DTYPES),
        "service.local.offload": _one_of(*OFFLOADS),
        "service.local.quantise": _one_of(*QUANTISED),
        "service.local.fleet": _text,
        "reuse.folders": _folders,
        "models.folders": _folders,
    }
)
"""Every setting but [prices], whose keys are models, and how its value is read."""

_PLACE_IN_FAULT = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)")
_SECTIONS = ("prices", *dict.fromkeys(key.partition(".")[0] for key in KEYS))


# tomllib's memory grows with the square of a dotted key's parts: 20,000 of them take 1.7 GB.
_ENDLESS_KEY = re.compile(r"(?:[^\s.=\[\]#]+[ \t]*\.[ \t]*){33}")


def read_file(path: Path, *, named_by: str | None) -> tuple[dict[str, Written], list[Problem]]:
    """The settings by their dotted names. A file that nobody named need not exist."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return {}, [] if named_by is None else [_unreadable(path, "no such file", f"named by {named_by}")]
    except UnicodeDecodeError:
        return {}, [_unreadable(path, "not UTF-8", "save it as UTF-8")]
    except OSError as refused:
        return {}, [_unreadable(path, (refused.strerror or "cannot be read").lower(), None)]
    if _ENDLESS_KEY.search(text):
        return {}, [_unreadable(path, "a key of more than 32 parts", None)]
    import tomllib  # most machines have no such file

    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as broken:  # TOMLDecodeError is a ValueError, and so is an endless number
        return {}, [_not_toml(path, text, str(broken))]
    return _settings(path, data, _places(text, str(path)))


def read_value(setting: str, value: Any, *, folder: Path) -> tuple[Any, str | None]:
    """A setting's value, or what is wrong with it as the rest of a sentence. Relative folders lie in `folder`."""
    reader = _price if setting.startswith("prices.") else KEYS[setting]
    try:
        return reader(value, folder), None
    except _Wrong as wrong:
        return None, str(wrong)
    except ValueError:
        return None, "is not a value that can be read here"


def is_loopback(url: str) -> bool:
    """Whether a base URL is on this machine: then everything that comes from it counts as emulated."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _settings(
    path: Path, data: Mapping[str, Any], places: Mapping[Steps, Place]
) -> tuple[dict[str, Written], list[Problem]]:
    settings: dict[str, Written] = {}
    problems: list[Problem] = []
    for steps, value in _leaves(data):
        name, place = ".".join(steps), _place_of(steps, places)
        if not _is_setting(steps):
            problems.append(_unknown(steps, place))
            continue
        read, why = read_value(name, value, folder=path.parent)
        if why:
            problems.append(error("FB022", f"{_shown(steps)} {why}", where=place, steps=steps))
            continue
        origin = f"{path}:{place.line}" if place else str(path)
        settings[name] = Written(value=read, origin=origin, place=place)
    return settings, problems


def _leaves(data: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each setting with its way from the top: a table of a section, and of [service], is gone into; a price is not."""
    for key, value in data.items():
        steps = (*above, key)
        is_section = len(steps) == 1 or steps[:-1] == ("service",)
        if is_section and isinstance(value, dict) and (len(steps) > 1 or key in _SECTIONS):
            yield from _leaves(value, steps)
        else:
            yield steps, value


def _is_setting(steps: tuple[str, ...]) -> bool:
    return ".".join(steps) in KEYS or (len(steps) == 2 and steps[0] == "prices")


def _unknown(steps: tuple[str, ...], place: Place | None) -> Problem:
    siblings = _siblings(steps)
    near = closest(steps[-1], siblings)
    what = "section" if len(steps) == 1 else "key"
    return error(
        "FB021",
        f"unknown {what} '{_shown(steps)}'",
        where=place,
        steps=steps,
        help=f"did you mean '{near}'?" if near else f"possible here: {', '.join(siblings)}",
    )


def _siblings(steps: tuple[str, ...]) -> list[str]:
    if len(steps) == 1:
        return list(_SECTIONS)
    depth = len(steps) - 1
    parts = [key.split(".") for key in KEYS]
    return list(dict.fromkeys(part[depth] for part in parts if tuple(part[:depth]) == steps[:-1] and len(part) > depth))


def _shown(steps: tuple[str, ...]) -> str:
    return ".".join(f'"{step}"' if "/" in step else step for step in steps)


# tomllib keeps no places, so they are sought in the text. A line is all that a person needs to find a key again.

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def _places(text: str, file: str) -> dict[Steps, Place]:
    places: dict[Steps, Place] = {}
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = _HEADER.fullmatch(line), _KEY.match(line)
        if header:
            section = _parts(header[1])
            for length in range(1, len(section) + 1):  # [service.bfl] opens `service` as well
                places.setdefault(section[:length], _place(file, number, line, header.start(1), header.end(1)))
        elif key:
            steps = (*section, *_parts(key[1]))
            places.setdefault(steps, _place(file, number, line, key.start(1), key.end(1)))
    return places


def _parts(written: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(written))


def _place(file: str, number: int, line: str, start: int, end: int) -> Place:
    return Place(file=file, line=number, column=start + 1, end_line=number, end_column=end + 1, line_text=line)


def _place_of(steps: tuple[str, ...], places: Mapping[Steps, Place]) -> Place | None:
    return next((places[steps[:length]] for length in range(len(steps), 0, -1) if steps[:length] in places), None)


def _unreadable(path: Path, why: str, note: str | None) -> Problem:
    place = Place(file=str(path), line=1, column=1, end_line=1, end_column=1, line_text=None)
    return error("FB020", f"the configuration cannot be read: {why}", where=place, notes=[note] if note else [])


def _not_toml(path: Path, text: str, fault: str) -> Problem:
    at = _PLACE_IN_FAULT.search(fault)
    lines = text.splitlines() or [""]
    line, column = (int(at[1]), int(at[2])) if at and at[1] else (len(lines), len(lines[-1]) + 1)
    shown = lines[min(line, len(lines)) - 1]
    place = Place(file=str(path), line=line, column=column, end_line=line, end_column=column + 1, line_text=shown)
    why = _PLACE_IN_FAULT.sub("", fault)
    return error("FB020", f"the configuration is not TOML: {why[:1].lower()}{why[1:]}", where=place)


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    return number if number.is_finite() else None
