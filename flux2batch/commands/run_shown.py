"""How a run is shown: before it, the summary; while it goes on, one calm line; after it, what became of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any, TextIO

from flux2batch.commands.console import Console, Part, colour_wanted, counted, is_terminal, styled, width_of
from flux2batch.commands.plan_ahead import left_over
from flux2batch.engine.events import Saved, ShotEvent
from flux2batch.engine.executor import Progress
from flux2batch.engine.lifecycle import Life, Phase
from flux2batch.engine.policy import Overrun
from flux2batch.engine.work import Moment
from flux2batch.money import Money, show
from flux2batch.planning.configuration import JOBS_BUDGET, bounds
from flux2batch.planning.plan import Plan
from flux2batch.planning.shot import ShotId
from flux2batch.reporting.progress import Tally, line
from flux2batch.running.outlook import Outlook
from flux2batch.running.run import Report
from flux2batch.running.standings import Counts
from flux2batch.safe_text import safe_line

SCHEMA_VERSION = 1
_FRAME_S = 0.1
_SAY_EVERY_S = 30.0
_MOST_UPLOADS = 12
_WIDEST = 140  # in a pipe


# Before.


def summary(plan: Plan, outlook: Outlook, *, emulated: bool, rehearsed: bool) -> Iterator[Sequence[Part]]:
    """What is about to happen, in a few lines. A run is rehearsed where our own emulator stands in for the services."""
    models = ", ".join(model for model, _ in plan.totals.models)
    shard = f", shard {plan.shard}," if plan.shard else ""
    asked = f"{counted(outlook.planned, 'shot')}{shard} on {models}"
    yield (styled(plan.name, "bold"), "  ", asked if models else f"none of {counted(plan.all_shots, 'shot')}{shard}")
    states = {
        "new": outlook.new,
        "done": outlook.done,
        "reused from other runs": outlook.reused,
        "on their way": outlook.on_the_way,
        "unknown": outlook.unknown,
        "ended without a picture": outlook.ended,
        left_over(plan): outlook.left,
    }
    said = " · ".join(f"{number:,} {state}" for state, number in states.items() if number)
    if said:
        yield ("  ", said)
    if outlook.moving:
        yield (f"  {counted(outlook.moving, 'picture')} will move to where the job wants them by now, for nothing",)
    if outlook.cut:
        yield (f"  {counted(outlook.cut, 'picture')} will be cut anew to the size that the job wants, for nothing",)
    if outlook.missing:
        yield (
            styled(f"  {counted(len(outlook.missing), 'picture')} deleted by hand", "yellow"),
            ": not bought again",
        )
        yield (styled("  flux2batch retry --missing buys them again", "dim"),)
    going = {upload.absolute for upload in plan.shelf.uploads(outlook.references)}
    uploads = [(upload, hosts) for upload, hosts in plan.totals.uploads if upload.absolute in going]
    for upload, hosts in uploads[:_MOST_UPLOADS]:
        whom = f"the emulator, in place of {' and '.join(hosts)}" if rehearsed else ", ".join(hosts)
        yield ("  uploads ", upload.path, styled(f"  {upload.file_bytes / 1000:,.0f} kB to {whom}", "dim"))
    if len(uploads) > _MOST_UPLOADS:
        yield (f"  and {len(uploads) - _MOST_UPLOADS} more files",)
    if outlook.new:
        free = "; on the emulator, so nothing is charged" if emulated else ""
        yield (
            "  ",
            styled(span(outlook.min_usd, outlook.max_usd), "bold"),
            f" for {counted(outlook.new, 'new shot')}{free}",
        )


def span(least: Money, most: Money) -> str:
    """A price: $6.60, or $0.29 to $0.86."""
    return show(most) if least == most else f"{show(least)} to {show(most)}"


# While it goes on.


class Quiet:
    """Shows nothing."""

    def saw(self, shot: ShotId, event: ShotEvent, life: Life, now: Moment) -> None: ...

    def standing(self, standing: Progress, now: Moment) -> None: ...

    def close(self) -> None: ...


class OneLine:
    """On a terminal: one line that is drawn again, ten times a second at most."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self._stream: TextIO = console.stderr
        self._console = console
        self._tally = tally
        self._drawn_s = 0.0
        self._colour = colour_wanted(console.stderr, console.environ, console.choice)

    def saw(self, shot: ShotId, event: ShotEvent, life: Life, now: Moment) -> None:  # noqa: ARG002  # the protocol's
        self._tally.saw(event, life, now.s)

    def standing(self, standing: Progress, now: Moment) -> None:
        self._tally.stands(
            in_hand=standing.in_hand,
            committed=standing.committed,
            stopping=standing.stopping,
            pausing=standing.pausing,
            furthest=standing.furthest,
            now_s=now.s,
        )
        if now.s - self._drawn_s >= _FRAME_S:
            self._drawn_s = now.s
            self._draw(now.s)

    def close(self) -> None:
        self._stream.write("\r\x1b[K")
        self._stream.flush()

    def _draw(self, now_s: float) -> None:
        # One cell is left free: a full line would wrap, and be drawn below itself for ever.
        text = safe_line(line(self._tally, now_s, width=width_of(self._stream, self._console.environ) - 1))
        bar, space, rest = text.partition(" ")
        painted = f"\x1b[36m{bar}\x1b[0m{space}{rest}" if self._colour else text
        self._stream.write(f"\r{painted}\x1b[K")
        self._stream.flush()


class PlainLines:
    """In a pipe, or where the terminal knows no cursor: a line every half minute, and at every tenth."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self._console = console
        self._tally = tally
        self._said_s: float | None = None
        self._said_tenth = 0

    def saw(self, shot: ShotId, event: ShotEvent, life: Life, now: Moment) -> None:  # noqa: ARG002  # the protocol's
        self._tally.saw(event, life, now.s)

    def standing(self, standing: Progress, now: Moment) -> None:
        tally = self._tally
        tally.stands(
            in_hand=standing.in_hand,
            committed=standing.committed,
            stopping=standing.stopping,
            pausing=standing.pausing,
            furthest=standing.furthest,
            now_s=now.s,
        )
        self._said_s = now.s if self._said_s is None else self._said_s
        tenth = tally.finished * 10 // tally.wanted if tally.wanted else 10
        if tenth > self._said_tenth or now.s - self._said_s >= _SAY_EVERY_S:
            self._said_s, self._said_tenth = now.s, tenth
            width = min(_WIDEST, width_of(self._console.stderr, self._console.environ))
            self._console.say(line(tally, now.s, width=width, unicode=False))

    def close(self) -> None: ...


class JsonEvents:
    """For programs: an event a line on stdout."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def saw(self, shot: ShotId, event: ShotEvent, life: Life, now: Moment) -> None:
        said: dict[str, Any] = {
            "event": type(event).__name__.lower(),
            "at": now.at.isoformat(timespec="milliseconds"),
            "shot": shot,
            "state": life.phase.value,
        }
        if isinstance(event, Saved):
            said |= {"path": event.path, "sha256": event.sha256}
        if life.charge is not None:
            said["charged_usd"] = number(life.charge.usd)
        if life.reason and life.phase not in (Phase.DONE, Phase.READY):
            said["reason"] = life.reason
        self._print(said)

    def standing(self, standing: Progress, now: Moment) -> None: ...

    def close(self) -> None: ...

    def finished(self, report: Report) -> None:
        """The last line."""
        self._print(
            {"event": "finished", **as_data(report.counts), "exit": report.exit_code, "directory": str(report.root)}
        )

    def _print(self, said: Mapping[str, Any]) -> None:
        self._console.print_json({"schema_version": SCHEMA_VERSION, **said})
        self._console.stdout.flush()


def observer_for(
    console: Console, tally: Tally, *, as_json: bool, quiet: bool
) -> OneLine | PlainLines | JsonEvents | Quiet:
    """The way to show a run that fits where its output goes."""
    if as_json:
        return JsonEvents(console)
    if quiet:
        return Quiet()
    if is_terminal(console.stderr) and console.environ.get("TERM") != "dumb":
        return OneLine(console, tally)
    return PlainLines(console, tally)


def as_data(counts: Counts) -> dict[str, Any]:
    """Counts as programs read them."""
    plain = asdict(counts)
    charged, at_risk = plain.pop("charged_usd"), plain.pop("at_risk_usd")
    return {**plain, "cost_usd": {"charged": number(charged), "at_risk": number(at_risk)}}


def number(amount: Decimal) -> float:
    """An amount for JSON: at most six digits behind the point, so a float has all of it."""
    return float(amount)


# After.


def ending(report: Report, plan: Plan, *, seconds: float, command: str, emulated: bool) -> Iterator[Sequence[Part]]:
    """What became of the run, and what to type next."""
    counts, now = report.counts, report.counts.done - report.done_before
    of_them = f", {now:,} of them now" if report.done_before else ""
    yield (
        styled("✓ " if report.exit_code == 0 else "● ", "green" if report.exit_code == 0 else "yellow"),
        styled(f"{counts.done:,} of {counted(counts.shots, 'shot')} done", "bold"),
        f"{of_them}, {counted(counts.frames, 'picture')}, in {_seconds(seconds)}",
    )
    for number_of, word, next_step in (
        (counts.moderated, "moderated", "flux2batch status shows why"),
        (counts.rejected, "rejected by the service", "flux2batch status shows why"),
        (counts.failed, "failed at the service", f"flux2batch retry {report.root} asks for them again"),
        (counts.in_flight, "accepted by the service", f"{command} fetches them"),
        (counts.stalled, "still on their way", f"{command} looks at them first"),
        (counts.lost, "paid for and lost", f"flux2batch retry {report.root} buys them again"),
        (counts.planned, "not begun", _goes_on(report.ending.overrun, plan, command)),
    ):
        if number_of:
            yield (styled(f"  {number_of:,} {word}", "yellow"), styled(f"  {next_step}", "dim"))
    if counts.unknown:
        yield (
            styled(f"  {counted(counts.unknown, 'shot')}", "red"),
            " may have been paid for, but the answer never came. Nothing is sent again until you say so:",
        )
        yield (styled(f"    flux2batch resolve {report.root}", "dim"),)
    yield from _money(report, emulated)
    yield from _why(report)


def _goes_on(overrun: Overrun | None, plan: Plan, command: str) -> str:
    """What makes the shots that were not begun: where money held them back, the same command would be refused."""
    if overrun is None:
        return f"{command} goes on with them"
    if overrun.limit == "this call's limit":
        return f"a higher --max-usd, or none, buys them: {command}"
    known = bounds(plan.configuration, plan.job.budget.max_usd)
    sources = [bound.source for bound in known if bound.usd == overrun.limit_usd and bound.source != "--max-usd"]
    if overrun.limit == "today's limit":
        higher = next((source for source in sources if source.startswith("limits.per_day_usd")), "limit")
        return f"{command} goes on with them tomorrow, or today with a higher {higher}"
    if JOBS_BUDGET in sources:
        place = plan.job.document.place(("budget", "max_usd"))
        written = place.file if place else ""
        return f"a higher {written if written.startswith('--set') else f'budget.max_usd in {written}'} buys them"
    return f"a higher {sources[0] if sources else 'limit'} buys them"


def _money(report: Report, emulated: bool) -> Iterator[Sequence[Part]]:
    counts = report.counts
    at_risk = f", and up to {show(counts.at_risk_usd)} more in doubt" if counts.at_risk_usd else ""
    now = Money(counts.charged_usd - report.charged_before)
    in_all = f", {show(counts.charged_usd)} in all" if report.charged_before else ""
    if emulated:
        yield (f"  {show(now)} charged{in_all}{at_risk}, by the emulator, so nothing",)
        return
    yield (f"  {show(now)} charged{in_all}{at_risk}",)
    for service, (before, after) in report.balances.items():
        if before is not None and after is not None:
            yield (styled(f"  {service}: {show(before)} before, {show(after)} now", "dim"),)


def _why(report: Report) -> Iterator[Sequence[Part]]:
    if report.sheet_trouble is not None:
        yield (styled(f"  The contact sheet could not be written: {report.sheet_trouble}", "yellow"),)
    end = report.ending
    if end.account is not None:
        yield (styled(f"  The service takes nothing from this account: {end.account.reason}", "red"),)
    if end.offline:
        yield (
            styled("  The service could not be reached; nothing has changed. Run it again when you are online.", "red"),
        )
    if end.overrun is not None:
        over = end.overrun
        yield (
            styled(
                f"  Stopped at {over.limit}, {show(over.limit_usd)}: the next shot may cost {show(over.needed_usd)}.",
                "red",
            ),
        )
    if end.problem is not None:
        yield (styled(f"  {end.problem}", "red"),)
    if end.error is not None:
        yield (styled(f"  {end.error}", "red"),)


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def stopwatch() -> float:
    """A moment to measure from."""
    return time.monotonic()
