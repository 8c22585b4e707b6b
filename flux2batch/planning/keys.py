"""Find the services' keys, in the environment and in .env, and say what is wrong with them without showing them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from flux2batch.planning.fault import Fault
from flux2batch.reading.problems import Place, Problem, warning
from flux2batch.secret import Secret

KEY_NAMES: Mapping[str, str] = MappingProxyType({"bfl": "BFL_API_KEY", "fal": "FAL_KEY"})
"""The provider and the name of its key: the only names that a .env file may set."""

_WHERE_TO_GET: Mapping[str, str] = MappingProxyType(
    {"bfl": "https://dashboard.bfl.ai", "fal": "https://fal.ai/dashboard/keys"}
)
_SERVICES: Mapping[str, str] = MappingProxyType({"bfl": "BFL", "fal": "fal"})

_MOST_BYTES = 64 * 1024
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]{0,99})\s*=\s*(.*?)\s*")
_QUOTED = re.compile(r"""("|')(.*)\1(?:\s+#.*)?""")
_FAL_KEY = re.compile(r"[0-9A-Za-z-]{8,}:[0-9A-Za-z]{8,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as it was found. What it is worth only its service knows."""

    provider: str
    secret: Secret
    origin: str  # "environment", or the .env file


def find_keys(environ: Mapping[str, str], folders: Iterable[Path]) -> tuple[Mapping[str, Key], tuple[Problem, ...]]:
    """The keys by provider: of the environment first, else of the first .env in these folders that has it.

    Nothing is put into os.environ: a .env lies in a folder that somebody else may have written.
    """
    keys = {
        provider: Key(provider=provider, secret=Secret(environ[name]), origin="environment")
        for provider, name in KEY_NAMES.items()
        if environ.get(name)
    }
    problems: list[Problem] = []
    for file in dict.fromkeys(folder / ".env" for folder in folders):
        found, ignored = _read_dotenv(file)
        problems += ignored
        for provider, name in KEY_NAMES.items():
            if found.get(name):
                keys.setdefault(provider, Key(provider=provider, secret=found[name], origin=str(file)))
    return keys, tuple(problems)


def key_fault(provider: str, key: Key | None) -> Fault | None:
    """What is wrong with the key of a provider before it is ever sent: FB801 or FB802. Never shows it."""
    name, service = KEY_NAMES[provider], _SERVICES[provider]
    if key is None:
        return Fault(
            code="FB801",
            message=f"no {name} in the environment or in .env",
            help=f"get one at {_WHERE_TO_GET[provider]}, or try the job without a key: --emulate",
            parameter="model",
        )
    why = _wrong_with(provider, key.secret.reveal())
    if why is None:
        return None
    return Fault(
        code="FB802",
        message=f"{name} ({key.origin}) {why}",
        help=f"set the bare key of {service}, as {_WHERE_TO_GET[provider]} shows it",
        parameter="model",
    )


def _wrong_with(provider: str, text: str) -> str | None:
    bare = text.strip()
    if text != bare:
        return "ends with a line break" if text.endswith(("\n", "\r")) else "has spaces around it"
    if bare[:1] in "\"'" or bare[-1:] in "\"'":
        return "has quotes around it"
    if bare.split(None, 1)[0].lower() in ("bearer", "key"):
        return f"begins with '{bare.split(None, 1)[0]}', which belongs to the header and not to the key"
    if any(character.isspace() or not character.isprintable() for character in bare):
        return "has spaces or control characters in it"
    if not bare.isascii():
        return "has characters in it that no key has"
    looks_like_fal = _FAL_KEY.fullmatch(bare) is not None
    if provider == "bfl" and looks_like_fal:
        return "looks like a fal key"
    if provider == "fal" and bare.startswith("bfl_"):
        return "looks like a BFL key"
    return None


def _read_dotenv(file: Path) -> tuple[Mapping[str, Secret], list[Problem]]:
    lines = _lines_of(file)
    found: dict[str, Secret] = {}
    problems: list[Problem] = []
    for number, line in enumerate(lines, start=1):
        written = _LINE.fullmatch(line)
        if not written or line.lstrip().startswith("#"):
            continue
        if written[1] in KEY_NAMES.values():
            found[written[1]] = Secret(_value(written[2]))
        else:
            problems.append(_not_read(file, number, written[1]))
    return found, problems


def _lines_of(file: Path) -> list[str]:
    """The lines of a regular file; none where it is anything else. Never waits for a pipe, never reads a device."""
    try:
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return []
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return []
        return os.read(handle, _MOST_BYTES).decode("utf-8-sig", errors="replace").splitlines()
    finally:
        os.close(handle)


def _value(written: str) -> str:
    quoted = _QUOTED.fullmatch(written)
    return quoted[2] if quoted else written.partition(" #")[0].strip()


def _not_read(file: Path, line: int, name: str) -> Problem:
    place = Place(file=str(file), line=line, column=1, end_line=line, end_column=1 + len(name), line_text=None)
    return warning(
        "FB803",
        f"{name} in .env is not read",
        where=place,
        help="only BFL_API_KEY and FAL_KEY are; set anything else in the environment or in your config.toml",
    )
