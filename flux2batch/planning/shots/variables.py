"""The constants of a job: `vars` may be made of one another and of tables, and are known before any shot is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flux2batch.planning.shots.findings import Findings, of_template_fault
from flux2batch.planning.shots.settings import filled, leaves_of
from flux2batch.planning.shots.unsure import Unsure
from flux2batch.planning.templates.faults import TemplateFault
from flux2batch.planning.templating import Template, compile_template
from flux2batch.reading.problems import Steps, error
from flux2batch.reading.suggest import did_you_mean


def constants_of(
    variables: Mapping[str, Any],
    tables: Mapping[str, Any],
    axes: frozenset[str],
    findings: Findings,
    *,
    unsure: Unsure,
) -> dict[str, Any]:
    """The values of `vars`. What cannot be worked out stays as it is written; it is `unsure`, and among the findings
    unless it only needs what is unsure itself."""
    return _Constants(variables, tables, axes, findings, unsure).values()


class _Constants:
    def __init__(
        self,
        variables: Mapping[str, Any],
        tables: Mapping[str, Any],
        axes: frozenset[str],
        findings: Findings,
        unsure: Unsure,
    ) -> None:
        self._written = variables
        self._tables = tables
        self._axes = axes
        self._findings = findings
        self._unsure = unsure
        self._made: dict[str, Any] = {}
        self._waiting: list[str] = []

    def values(self) -> dict[str, Any]:
        return {name: self._value(name) for name in self._written}

    def _value(self, name: str) -> Any:
        if name not in self._made:
            self._waiting.append(name)
            self._made[name] = self._rendered(name)
            self._waiting.pop()
        return self._made[name]

    def _rendered(self, name: str) -> Any:
        written = self._written[name]
        made: dict[Steps, Any] = {}
        for way, text in leaves_of(written):
            value = self._leaf(text, ("vars", name, *way))
            if value is not _WRONG:
                made[way] = value
        return filled(written, made)

    def _leaf(self, text: str, steps: Steps) -> Any:
        try:
            template = compile_template(text, folder=None, kind="text")
            if template.is_static:
                return _WRONG
            if not self._knows_names(template, steps):
                self._unsure.add([str(steps[1])])
                return _WRONG
            scope = {name: self._value(name) for name in template.names if name in self._written}
            if template.names & self._unsure.names:
                self._unsure.add([str(steps[1])])
                return _WRONG
            tables = {name: self._tables[name] for name in template.names if name in self._tables}
            return template.value({**tables, **scope})
        except TemplateFault as fault:
            where = self._findings.document.inside(steps, fault.start, fault.end)
            self._findings.add([of_template_fault(fault, where=where, steps=steps)])
            self._unsure.add([str(steps[1])])
            return _WRONG

    def _knows_names(self, template: Template, steps: Steps) -> bool:
        known = {*self._written, *self._tables}
        for name in sorted(template.names):
            where = self._findings.document.inside(steps, *template.name_span(name))
            if name in self._waiting:
                circle = " → ".join([*self._waiting[self._waiting.index(name) :], name])
                message = f"constants need one another: {circle}"
                self._findings.add([error("FB315", message, where=where, steps=steps)])
                return False
            if name not in known and self._unsure.holds(name):
                return False
            if name not in known:
                message = f"unknown variable '{name}'"
                help = did_you_mean(name, known)
                if name in self._axes:
                    message = f"a constant cannot use '{name}', which differs from shot to shot"
                    help = "write it into the prompt itself"
                self._findings.add([error("FB301", message, where=where, steps=steps, help=help)])
                return False
        return True


_WRONG = object()
