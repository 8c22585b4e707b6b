"""The ledger: what each take was estimated at, what was charged for it, when and why; a pure fold over events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import Any, Protocol

from flux2batch.engine.events import Adopted, Event, HandedBack, Intended, Resubmitted, Retried, Withdrawn
from flux2batch.engine.lifecycle import UNBORN, Life, Phase, advance
from flux2batch.money import ZERO, Money
from flux2batch.planning.shot import ShotId
from flux2batch.reporting.csv_rows import Cell, Form, Number, csv_row
from flux2batch.safe_text import safe_json

SCHEMA_VERSION = 1


class Recorded(Protocol):
    """An event as a journal has it."""

    @property
    def at(self) -> datetime: ...
    @property
    def shot(self) -> ShotId | None: ...
    @property
    def event(self) -> Event: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One take. Amounts are dollars, to the last digit that the journal has."""

    shot: str
    take: int
    status: str
    model: str
    provider: str
    began: str
    ended: str | None
    estimate_usd: Decimal
    reserved_usd: Decimal
    charged_usd: Decimal | None  # None: not known (yet)
    at_risk_usd: Decimal
    charge_source: str | None
    megapixels_in: str | None
    megapixels_out: str | None
    task_id: str | None
    seed: int | None
    width: int | None
    height: int | None
    paths: str  # one a line
    coordinates: Mapping[str, str]
    repeat: int
    prompt: str
    final_prompt: str | None
    reason: str | None
    source: str | None  # the run directory that the picture came from, where it was not bought


def lines(entries: Iterable[Recorded]) -> Iterator[Line]:
    """The takes, each shot's in the order in which they were made. The entries of a shot must stand together."""
    for shot, history in groupby(entries, key=lambda entry: entry.shot):
        if shot is not None:
            yield from _lines_of(shot, history)


def _lines_of(shot: ShotId, history: Iterable[Recorded]) -> Iterator[Line]:
    life, told = UNBORN, False  # whether the last take has its line already
    for entry in history:
        match entry.event:
            case Retried() | Resubmitted():
                yield _line(shot, life)
                told = True
            case HandedBack(reason=reason):
                yield replace(_line(shot, life), status="handed-back", ended=_stamp(entry.at), reason=reason)
                told = True
            case Withdrawn():
                told = True
            case Intended() | Adopted():
                told = False
        life = advance(life, entry.event, at=entry.at)  # type: ignore[arg-type]  # what stands beside a shot is a shot's event
    if not told:
        yield _line(shot, life)


def _line(shot: ShotId, life: Life) -> Line:
    intended, rendered, charge = life.intended, life.rendered, life.charge
    first = life.saved[0] if life.saved else None
    return Line(
        shot=shot,
        take=life.takes,
        status=life.phase.value,
        model=intended.model if intended else "",
        provider=intended.model.partition("/")[0] if intended else "",
        began=_stamp(life.began_at) or "",
        ended=_stamp(life.since),
        estimate_usd=intended.estimate if intended else ZERO,
        reserved_usd=intended.reserve if intended else ZERO,
        charged_usd=charge.usd if charge else None,
        at_risk_usd=Money(life.at_risk - life.maybe_spent),
        charge_source=charge.source if charge else None,
        megapixels_in=charge.megapixels_in if charge else None,
        megapixels_out=charge.megapixels_out if charge else None,
        task_id=life.ticket.task_id if life.ticket else None,
        seed=rendered.seed if rendered else None,
        width=first.width if first else None,
        height=first.height if first else None,
        paths="\n".join(saved.path for saved in life.saved),
        coordinates={axis: one for axis, (one, _) in intended.coordinates.items()} if intended else {},
        repeat=intended.repeat if intended else 1,
        prompt=intended.prompt if intended else "",
        final_prompt=rendered.prompt if rendered else None,
        reason=life.reason,
        source=life.source,
    )


def _stamp(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A sum over takes."""

    name: str
    takes: int
    pictures: int
    estimate: Money
    charged: Money
    at_risk: Money


def totals(all_lines: Iterable[Line], *, by: str | None = None) -> list[Total]:
    """The sums by `model`, `day`, `status`, or an axis; all together where `by` is None.

    In order of appearance, but numbers by their size: shots are sent in an order of their own.
    """
    sums: dict[str, Total] = {}
    for line in all_lines:
        name = _group(line, by)
        sums[name] = _and(sums.get(name) or _nothing(name), _of(line, name))
    return [sums[name] for name in _in_order(sums)]


def all_together(sums: Iterable[Total]) -> Total:
    """The sum of sums that share no take."""
    whole = _nothing("all")
    for each in sums:
        whole = _and(whole, each)
    return whole


def _nothing(name: str) -> Total:
    return Total(name=name, takes=0, pictures=0, estimate=ZERO, charged=ZERO, at_risk=ZERO)


def _of(line: Line, name: str) -> Total:
    return Total(
        name=name,
        takes=1,
        pictures=line.paths.count("\n") + 1 if line.status == Phase.DONE and line.paths else 0,
        estimate=Money(line.estimate_usd),
        charged=Money(line.charged_usd or ZERO),
        at_risk=Money(line.at_risk_usd),
    )


def _and(one: Total, other: Total) -> Total:
    return Total(
        name=one.name,
        takes=one.takes + other.takes,
        pictures=one.pictures + other.pictures,
        estimate=Money(one.estimate + other.estimate),
        charged=Money(one.charged + other.charged),
        at_risk=Money(one.at_risk + other.at_risk),
    )


def _in_order(names: Iterable[str]) -> list[str]:
    try:
        return sorted(names, key=Decimal)
    except InvalidOperation:
        return list(names)


def _group(line: Line, by: str | None) -> str:
    match by:
        case None:
            return "all"
        case "model":
            return line.model
        case "status":
            return line.status
        case "day":
            return line.began[:10]
        case axis:
            return line.coordinates.get(axis, "–")


# As text.

COLUMNS = tuple(field.name for field in fields(Line))
_NUMBERS = frozenset(
    {"take", "repeat", "estimate_usd", "reserved_usd", "charged_usd", "at_risk_usd", "seed", "width", "height"}
)


def as_csv(all_lines: Iterable[Line], form: Form) -> Iterator[str]:
    """CSV that a spreadsheet opens without running anything in it: every text quoted, formulas disarmed."""
    yield csv_row(COLUMNS, form)
    for line in all_lines:
        yield csv_line(line, form)


def csv_line(line: Line, form: Form) -> str:
    """One take as a row of it."""
    return csv_row([_cell(name, getattr(line, name)) for name in COLUMNS], form)


def totals_as_csv(sums: Iterable[Total], form: Form, *, by: str) -> Iterator[str]:
    """Sums as CSV, by what they were made."""
    yield csv_row((by, "takes", "pictures", "estimate_usd", "charged_usd", "at_risk_usd"), form)
    for each in sums:
        figures: tuple[int | Decimal, ...] = (each.takes, each.pictures, each.estimate, each.charged, each.at_risk)
        yield csv_row((each.name, *map(_number, figures)), form)


def _number(value: int | Decimal) -> Number:
    return Number(f"{value:f}" if isinstance(value, Decimal) else str(value))


def _cell(name: str, value: Any) -> Cell:
    if value is None:
        return ""
    if name in _NUMBERS:
        return _number(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else str(value)


def json_line(line: Line) -> str:
    """One take as JSON; amounts are text, so that no reader rounds them."""
    plain = {name: _plain(getattr(line, name)) for name in COLUMNS}
    return safe_json(json.dumps({"schema_version": SCHEMA_VERSION, **plain}, ensure_ascii=False)) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return dict(value) if isinstance(value, Mapping) else value
