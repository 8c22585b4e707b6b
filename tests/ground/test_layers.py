"""Who may import whom: the imports, read from the source, held against one table."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "flux2batch"


class Layer(NamedTuple):
    """A layer: its modules or rooms, what it may use that is not ours, and what of the standard library it must not."""

    rooms: tuple[str, ...]
    foreign: tuple[str, ...]
    never: tuple[str, ...]


_CLOCK_CHANCE_AND_WORLD = (
    "time", "random", "secrets", "concurrent", "asyncio", "subprocess", "socket", "ssl", "http", "urllib.request",
    "sqlite3", "tempfile", "shutil",
)  # fmt: skip

# The longest name that fits decides: planning.canonical is a value, the rest of planning is not.
LAYERS: tuple[Layer, ...] = (
    Layer(
        rooms=(
            "__init__", "durable", "errors", "money", "resources", "safe_text", "text_width", "redaction", "secret",
            "html_text",
            "private_files",
            "reading.problems", "reading.codes", "engine.events",
            "planning.canonical", "planning.sweep.numerals", "planning.sweep.slugs",
        ),
        foreign=("wcwidth",),
        never=_CLOCK_CHANCE_AND_WORLD,
    ),
    Layer(
        rooms=("reading", "planning.templating", "planning.templates"),
        foreign=("yaml", "jsonschema", "referencing", "jinja2", "markupsafe", "wcwidth"),
        never=_CLOCK_CHANCE_AND_WORLD,
    ),
    Layer(
        rooms=("planning", "providers.contract"),  # the contract speaks of shots
        foreign=("yaml", "jsonschema", "referencing", "jinja2", "PIL", "openpyxl", "platformdirs"),
        never=_CLOCK_CHANCE_AND_WORLD,
    ),
    Layer(
        rooms=(
            "engine.copying", "engine.lifecycle", "engine.policy", "engine.pacing", "engine.work", "engine.in_hand",
            "engine.calling", "engine.consequences", "engine.scheduler",
            "reporting.csv_rows", "reporting.ledger", "reporting.sheet",
        ),
        foreign=("tenacity", "jinja2", "markupsafe"),
        never=(*_CLOCK_CHANCE_AND_WORLD, "os", "pathlib.Path", "threading"),
    ),
    Layer(
        rooms=(
            "engine.clock", "engine.journal", "engine.records", "engine.lock", "engine.run_directory",
            "engine.new_directory", "engine.rescue", "engine.snapshot",
            "pictures", "providers", "emulator", "reporting", "webhooks",
        ),
        foreign=("requests", "urllib3", "tenacity", "PIL", "wcwidth", "certifi", "filelock", "cryptography"),
        never=(),
    ),
    Layer(rooms=("providers.local",), foreign=(), never=()),
    Layer(rooms=("engine",), foreign=("tenacity",), never=()),
    Layer(
        rooms=("commands", "cli", "client", "library", "running", "__main__", "crash_report"),
        foreign=("click", "platformdirs", "wcwidth", "PIL", "requests", "tenacity"),
        never=(),
    ),
)  # fmt: skip

# Of extras: large, imported when a local model draws, and nowhere but in their room.
OF_EXTRAS = {"torch": "providers.local", "diffusers": "providers.local", "transformers": "providers.local",
             "ray": "providers.local"}  # fmt: skip

MODULES = sorted(PACKAGE.rglob("*.py"))


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _layer_of(module: str) -> int:
    fitting = [
        (len(room), number)
        for number, layer in enumerate(LAYERS)
        for room in layer.rooms
        if module == room or module.startswith((f"{room}.", f"{room}_"))
    ]
    if not fitting:
        # An empty room's own module: as deep as its lowest part.
        return min((n for n, layer in enumerate(LAYERS) for r in layer.rooms if r.startswith(f"{module}.")), default=-1)
    return max(fitting)[1]


def _room_of(module: str) -> str:
    return module.split(".")[0]


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that is imported, lazily or not; imports for types alone bind nothing at run time."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            for alias in node.names:
                module = str(node.module)
                yield f"{module}.{alias.name}" if _is_named(module, alias.name) else module, node.lineno


def _is_named(package: str, name: str) -> bool:
    """Whether the name counts: always of others (pathlib.Path is not pathlib.PurePath), of ours only a module."""
    if package.split(".")[0] != "flux2batch":
        return True
    base = PACKAGE.joinpath(*package.split(".")[1:], name)
    return base.with_suffix(".py").is_file() or base.is_dir()


def _fault(module: str, imported: str) -> str | None:
    number = _layer_of(module)
    layer = LAYERS[number]
    top = imported.split(".")[0]
    if top == "flux2batch":
        other = imported.partition(".")[2] or "__init__"
        if _layer_of(other) > number:
            return f"{module} (layer {number}) imports {other} (layer {_layer_of(other)})"
        doing = _layer_of("providers.transport")
        if _layer_of(other) == number == doing and _room_of(module) != _room_of(other):
            return f"{module} imports {other}: rooms that do things do not know one another"
        return None
    if top in OF_EXTRAS:
        at_home = module.startswith(f"{OF_EXTRAS[top]}.")
        return None if at_home else f"{module} imports {imported}, which is at home in {OF_EXTRAS[top]} alone"
    if any(imported == never or imported.startswith(f"{never}.") for never in layer.never):
        return f"{module} (layer {number}) imports {imported}: the clock, chance and the world are arguments"
    if top in sys.stdlib_module_names or top in {name for lower in LAYERS[: number + 1] for name in lower.foreign}:
        return None
    return f"{module} (layer {number}) imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    module = _name(path)
    assert _layer_of(module) >= 0, f"{module} is in no layer: see LAYERS"

    faults = [
        f"{path.name}:{line}: {fault}" for imported, line in _imports(path) if (fault := _fault(module, imported))
    ]

    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("module", "imported", "says"),
    [
        ("money", "flux2batch.reading.job", "layer 0"),
        ("reading.schema", "flux2batch.planning.sweep.axes", "layer 1"),
        ("planning.sweep.axes", "time", "the clock"),
        ("planning.sweep.axes", "requests", "imports requests"),
        ("engine.policy", "sqlite3", "the clock"),
        ("engine.policy", "pathlib.Path", "the clock"),
        ("engine.policy", "pathlib.PurePosixPath", None),
        ("providers.bfl", "flux2batch.emulator.server", "do not know one another"),
        ("commands.plan", "flux2batch.planning.sweep.axes", None),
        ("running.run", "torch", "at home in providers.local"),
        ("providers.local.pipeline", "torch", None),
    ],
)
def test_the_table_sees_what_is_forbidden(module: str, imported: str, says: str | None) -> None:
    fault = _fault(module, imported)

    assert (fault is None) if says is None else (fault is not None and says in fault)
