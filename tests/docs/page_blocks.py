"""The fenced blocks of a page, and the one shell script that does what its reader would do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

SHOWN = {"text", "mermaid", "diff", "csv"}  # looked at, and not done
HARNESSES = {"sh"}  # the repository's own, which take minutes: what they call must be there
DONE = {"bash", "console", "output", "yaml", "toml", "json", "python", "jinja"}

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<kind>[\w.+-]*)(?P<rest>.*)$")
_FILE = re.compile(r"^# file: (?P<name>\S+)(?: \((?P<aside>wrong on purpose|not before its model is known)\))?$")
_EXIT = re.compile(r"^(?P<call>.*\S)\s+# exit code (?P<code>\d+)$")
_KEY = re.compile(r"^export (?:BFL_API_KEY|FAL_KEY)=…$")
_MARK = "@@ block "


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What stands between two fences, with the line of the first."""

    kind: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The file that the block is meant to be, by its first line."""
        found = self._file()
        return found["name"] if found else None

    @property
    def is_wrong(self) -> bool:
        """Whether the page shows it because it is wrong."""
        found = self._file()
        return bool(found and found["aside"] == "wrong on purpose")

    @property
    def is_early(self) -> bool:
        """Whether it can only be checked by what the page does later."""
        found = self._file()
        return bool(found and found["aside"] and not self.is_wrong)

    @property
    def is_job(self) -> bool:
        """Whether it is a whole job file."""
        return self.kind == "yaml" and bool(re.search(r"^flux2batch:", self.text, re.MULTILINE))

    def _file(self) -> re.Match[str] | None:
        return _FILE.match(self.text.split("\n", 1)[0])


def blocks(path: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return list(_blocks(path.read_text(encoding="utf-8")))


def _blocks(text: str) -> Iterator[Block]:
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        opened = _FENCE.match(line)
        if not opened:
            continue
        inside: list[str] = []
        for _, inner in lines:
            if inner.strip() == opened["fence"]:
                break
            inside.append(inner.removeprefix(opened["indent"]))
        yield Block(kind=opened["kind"] or "text", text="\n".join(inside) + "\n", line=number)


def script(page: list[Block], *, keys: dict[str, str]) -> str:
    """What a reader types and saves from top to bottom; `keys` are what a page's own key stands for."""
    said = ["set -euo pipefail"]
    for number, block in enumerate(page):
        said += [f"echo '{_MARK}{number}'", *_steps(block, keys)]
    return "\n".join([*said, f"echo '{_MARK}end'", ""])


def _steps(block: Block, keys: dict[str, str]) -> Iterator[str]:
    match block.kind:
        case "bash":
            yield from (_line(line, keys) for line in block.text.splitlines())
        case "console":
            yield from (_line(line[2:], keys) for line in block.text.splitlines() if line.startswith("$ "))
        case "python" if not block.file:
            exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in keys.items())
            yield f"{exports} python - <<'END OF BLOCK'\n{block.text}END OF BLOCK"
        case _ if block.file:
            yield f"mkdir -p {shlex.quote(str(Path(block.file).parent))}"
            yield f"cat > {shlex.quote(block.file)} <<'END OF BLOCK'\n{block.text}END OF BLOCK"
            yield from _checks(block)


def _checks(block: Block) -> Iterator[str]:
    assert block.file is not None
    name = shlex.quote(block.file)
    if block.is_early:
        return
    if block.is_job and block.is_wrong:
        yield f"! flux2batch validate {name}"
    elif block.is_job:
        yield f"flux2batch validate {name} --strict"
    elif block.kind == "toml" and Path(block.file).name == "config.toml":
        yield f"flux2batch config --config {name}"


def _line(line: str, keys: dict[str, str]) -> str:
    if _KEY.match(line):
        return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in keys.items())
    if ends := _EXIT.match(line):
        return (
            f'code=0; {ends["call"]} || code=$?; [ $code = {ends["code"]} ] || {{ echo "exit code $code"; exit 99; }}'
        )
    return line


def by_block(output: str) -> dict[int | str, str]:
    """What each block printed."""
    parts = re.split(rf"^{_MARK}(\w+)\n", output, flags=re.MULTILINE)
    return {int(name) if name.isdecimal() else name: said for name, said in zip(parts[1::2], parts[2::2], strict=True)}


def missing(shown: str, said: str) -> list[str]:
    """Those lines of an output block that no printed line holds, in its order; `…` stands for anything."""
    lost, rest = [], said.splitlines()
    for line in filter(None, map(str.rstrip, shown.splitlines())):
        pattern = re.compile(".*".join(map(re.escape, line.strip().split("…"))))
        at = next((index for index, printed in enumerate(rest) if pattern.search(printed)), None)
        if at is None:
            lost.append(line)
        else:
            rest = rest[at + 1 :]
    return lost
