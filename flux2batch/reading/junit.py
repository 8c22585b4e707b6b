"""Problems as a JUnit report: each file a test case, which fails by its problems.

Two schemas of this format are in use, Ant's and Jenkins', and the report is valid by both. So a case has one failure at
the most: it names the first problem, and its text holds all of them, which is also what every reader of it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from xml.etree import ElementTree

from flux2batch.reading.problems import Problem, has_errors, in_order
from flux2batch.reading.rendering import render
from flux2batch.safe_text import safe, safe_line

_WITHOUT_A_FILE = "flux2batch"
_WIDTH = 120
_NEVER_IN_XML = re.compile("[\ufffe\uffff]")


def by_file(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    """The problems by the file that each stands in."""
    found: dict[str, list[Problem]] = {}
    for problem in in_order(problems):
        found.setdefault(problem.where.file if problem.where else _WITHOUT_A_FILE, []).append(problem)
    return found


def junit(files: Mapping[str, Sequence[Problem]], *, at: datetime, strict: bool = False) -> str:
    """The report on these files, ending in a newline. Warnings fail nothing unless `strict`; they stand below."""
    failed = {name: _failing(problems, strict) for name, problems in files.items()}
    counts = {"tests": str(len(files)), "failures": str(sum(bool(each) for each in failed.values())), "errors": "0"}
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        {"name": "validate", "package": "flux2batch", "id": "0", "hostname": "localhost", "time": "0", **counts}
        | {"timestamp": at.strftime("%Y-%m-%dT%H:%M:%S")},
    )
    ElementTree.SubElement(suite, "properties")
    for name, failing in failed.items():
        case = ElementTree.SubElement(
            suite, "testcase", {"name": _line(name), "classname": "flux2batch.validate", "time": "0"}
        )
        if failing:
            more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
            message = f"{failing[0].code}: {failing[0].message}{more}"
            failure = ElementTree.SubElement(case, "failure", {"type": failing[0].code, "message": _line(message)})
            failure.text = _written(failing)
    warnings = [problem for name, found in files.items() for problem in found if problem not in failed[name]]
    ElementTree.SubElement(suite, "system-out").text = _written(warnings)
    ElementTree.SubElement(suite, "system-err")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _failing(problems: Sequence[Problem], strict: bool) -> list[Problem]:
    return [problem for problem in in_order(problems) if has_errors([problem], strict=strict)]


def _written(problems: Sequence[Problem]) -> str | None:
    if not problems:
        return None
    return _xml(safe(render(problems, format="text", colour=False, width=_WIDTH)))


def _line(text: str) -> str:
    return _xml(safe_line(text))


def _xml(text: str) -> str:
    """Without the two characters that no XML may hold, and that a terminal would let pass."""
    return _NEVER_IN_XML.sub("�", text)
