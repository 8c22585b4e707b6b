"""Which row of the three matrices is held by which test: F01–F84 faults, B01–B106 bad inputs, S01–S56 attacks.

python tests/ground/matrix_coverage.py [--missing]

A test holds a row when it names it: in its own name (`test_f24_f26_…`), or as the label of a case (`("B61", …)`). A row
that no test names stands in docs/ with the reason why; one that does neither is missing, and the exit code is 1.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = (
    *(f"F{number:02}" for number in range(1, 85)),
    *(f"B{number:02}" for number in range(1, 107)),
    *(f"S{number:02}" for number in range(1, 57)),
)
FAULTS, NOT_AUTOMATED = ROOT / "docs" / "faults.md", ROOT / "docs" / "not-automated.md"

_ITS_OWN_TEST = "test_matrix_coverage.py"  # speaks of rows and tests none
_IN_A_NAME = re.compile(r"(?<![a-z0-9])([fbs])(\d{2,3})(?![0-9a-z])")
_IN_A_LABEL = re.compile(r"([FBS]\d{2,3}(?:[ /,-]{1,2}[FBS]\d{2,3})*)(?![0-9A-Za-z])")
_LINE = re.compile(r"^\| ([FBS]\d{2,3}) \|(.*)\|$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """By row: the tests that name it, and why there is none."""

    tests: Mapping[str, tuple[str, ...]]
    reasons: Mapping[str, str]

    @property
    def missing(self) -> tuple[str, ...]:
        """Rows of which nobody says anything."""
        return tuple(row for row in ROWS if not self.tests[row] and row not in self.reasons)

    @property
    def idle(self) -> tuple[str, ...]:
        """Rows with a reason why there is no test, and with a test."""
        return tuple(row for row in ROWS if self.tests[row] and row in self.reasons)


def coverage() -> Coverage:
    """Read from the source of the tests and from docs/."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path.name == _ITS_OWN_TEST:
            continue
        for row, test in _named_in(path):
            found[row].add(test)
    for row, tests in _page_of_faults():
        found[row].update(tests)
    return Coverage(tests={row: tuple(sorted(found[row])) for row in ROWS}, reasons=dict(_reasons()))


def _named_in(path: Path) -> Iterator[tuple[str, str]]:
    where = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for letter, number in _IN_A_NAME.findall(node.name):
                yield f"{letter.upper()}{number}", f"{where}::{node.name}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            label = _IN_A_LABEL.match(node.value)
            for row in re.findall(r"[FBS]\d{2,3}", label[1] if label else ""):
                yield row, f"{where} (a case)"


def _page_of_faults() -> Iterator[tuple[str, list[str]]]:
    """docs/faults.md names the test of each fault, or the harness where there is nothing but one."""
    for row, rest in _LINE.findall(FAULTS.read_text(encoding="utf-8")):
        yield row, re.findall(r"`(tests/[^`]+)`", rest)


def _reasons() -> Iterator[tuple[str, str]]:
    for row, rest in _LINE.findall(NOT_AUTOMATED.read_text(encoding="utf-8")):
        yield row, rest.rpartition("|")[2].strip()


def main() -> int:
    """Print it."""
    known = coverage()
    for row in ROWS:
        tests = known.tests[row]
        if "--missing" in sys.argv[1:] and row not in known.missing:
            continue
        shown = ", ".join(tests[:3]) + (f" and {len(tests) - 3} more" if len(tests) > 3 else "")
        print(f"{row:<5} {shown or ('not automated: ' + known.reasons[row] if row in known.reasons else 'MISSING')}")
    for letter, name in (("F", "faults"), ("B", "bad inputs"), ("S", "attacks")):
        rows = [row for row in ROWS if row[0] == letter]
        tested = sum(bool(known.tests[row]) for row in rows)
        listed = sum(row in known.reasons and not known.tests[row] for row in rows)
        print(f"{name}: {len(rows)} rows, {tested} tested, {listed} listed with a reason")
    for row in known.idle:
        print(f"{row} is tested, and docs/not-automated.md says why it is not")
    return 1 if known.missing or known.idle else 0


if __name__ == "__main__":
    sys.exit(main())
