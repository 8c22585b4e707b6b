"""`flux2batch resolve`: settle takes whose answer was lost; nothing is bought again until a person says so."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from flux2batch.commands.command import as_command, format_option
from flux2batch.commands.completing import Directory
from flux2batch.commands.console import Console, Part, counted, styled, this_console
from flux2batch.errors import UsageError

if TYPE_CHECKING:
    from flux2batch.engine.events import Event
    from flux2batch.engine.journal import Journal
    from flux2batch.engine.run_directory import RunDirectory
    from flux2batch.running.settling import Doubt, Fact

SCHEMA_VERSION = 1
_SHORTEST_ID = 4
Verdict = Literal["accepted", "not_accepted", "abandon", "resubmit", "look"]


@as_command(
    "resolve",
    summary="Settle shots whose answer was lost.",
    examples=[
        ("flux2batch resolve", "What is in doubt, with the evidence"),
        ("flux2batch resolve --look", "Ask the service which of them it took (fal)"),
        ("flux2batch resolve --shot 3811bddd --accepted --task-id 7c9e66", "You found it in the service's dashboard"),
        ("flux2batch resolve --all --not-accepted", "You looked: the service took none of them"),
    ],
)
@click.argument("directory", metavar="[DIR]", required=False, type=Directory())
@click.option("--shot", "shots", metavar="ID", multiple=True, help="This shot; the beginning of its id will do.")
@click.option("--all", "every", is_flag=True, help="All that are in doubt.")
@click.option("--look", is_flag=True, help="Ask the service's own listing; takes up what it lists exactly once.")
@click.option("--accepted", is_flag=True, help="The service took it: the next run fetches it.")
@click.option("--task-id", metavar="ID", help="With --accepted: the id that the service gave it.")
@click.option("--poll-url", metavar="URL", help="With --accepted: where BFL said to ask for it.")
@click.option("--not-accepted", is_flag=True, help="It never came to be: the next run sends it.")
@click.option("--resubmit", is_flag=True, help="Buy it again, whatever became of it; it may be charged twice.")
@click.option("--abandon", is_flag=True, help="Give it up: its possible charge stays in the books.")
@click.option("--reason", metavar="TEXT", help="Why, for the journal.")
@click.option("--set", "sets", metavar="PATH=YAML", multiple=True, help="With --look: as the run was called.")
@click.option("--check-urls", is_flag=True, help="With --look: as the run was called.")
@click.option("--config", metavar="FILE", type=click.Path(path_type=Path), help="Read this config.toml.")
@click.option("--json", "as_json", is_flag=True, help="One take a line.")
@format_option
def command(
    directory: Path | None,
    shots: tuple[str, ...],
    every: bool,
    look: bool,
    accepted: bool,
    task_id: str | None,
    poll_url: str | None,
    not_accepted: bool,
    resubmit: bool,
    abandon: bool,
    reason: str | None,
    sets: tuple[str, ...],
    check_urls: bool,
    config: Path | None,
    as_json: bool,
    format: str,
) -> None:
    """List the takes that were sent and never answered, and settle them.

    DIR may be a job file, meaning its run directory, or be left out, meaning the newest under runs/. Such a take may
    have been paid for, so it is never sent again by itself, and what it may cost counts against the budget. What you
    rule is written into the journal with your name; nothing is sent here that could cost anything.
    """
    del format
    from flux2batch.commands.run_directories import run_directory

    verdict = _verdict(look=look, accepted=accepted, not_accepted=not_accepted, resubmit=resubmit, abandon=abandon)
    _check_usage(verdict, shots, every=every, task_id=task_id, poll_url=poll_url)
    console = this_console()
    root = run_directory(directory)
    if verdict is None:
        _list(console, root, shots, as_json=as_json)
        return

    from platformdirs import user_state_path

    from flux2batch.running.settling import doubts, open_to_settle, record

    now = datetime.now(UTC)
    with open_to_settle(root, now=now, state_folder=user_state_path("flux2batch", appauthor=False)) as opened:
        journal = opened.journal
        known = _chosen(doubts(journal, driven=False), shots)
        if verdict == "accepted" and not known:
            known = _chosen(_lost(journal), shots)
        if shots and not known:
            raise UsageError(f"No shot {', '.join(shots)} is in doubt in {root}.")
        if verdict == "look":
            settled = _look(console, opened, known, sets=sets, check_urls=check_urls, config=config, at=now)
        else:
            settled = {doubt.shot: ruled(journal, doubt, verdict, task_id, poll_url, reason) for doubt in known}
        facts: list[Fact] = []
        for doubt in known:
            if doubt.shot in settled:
                facts += [(doubt.shot, event) for event in (*doubt.first, settled[doubt.shot])]
        if facts:
            record(opened, facts, command="resolve", at=now)
        left = doubts(journal, driven=False)
    _tell(console, [doubt for doubt in known if doubt.shot in settled], verdict, as_json=as_json)
    if left and not as_json:
        console.say(f"{counted(len(left), 'shot')} still in doubt.")
    if left and verdict == "look":
        raise click.exceptions.Exit(5)


# What is asked for.


def _verdict(**flags: bool) -> Verdict | None:
    given = [name for name, is_given in flags.items() if is_given]
    if len(given) > 1:
        words = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{words} exclude one another")
    return given[0] if given else None  # type: ignore[return-value]  # the names of the flags are the verdicts


def _check_usage(
    verdict: Verdict | None, shots: Sequence[str], *, every: bool, task_id: str | None, poll_url: str | None
) -> None:
    if verdict == "accepted":
        if task_id is None:
            raise click.UsageError("--accepted needs the id that the service gave it: --task-id ID")
        if len(shots) != 1 or every:
            raise click.UsageError("--accepted is for one shot: --shot ID")
    elif task_id is not None or poll_url is not None:
        raise click.UsageError("--task-id and --poll-url go with --accepted")
    if verdict in ("not_accepted", "abandon", "resubmit") and bool(shots) == every:
        raise click.UsageError("say which: --shot ID, or --all")
    short = [shot for shot in shots if len(shot) < _SHORTEST_ID]
    if short:
        raise click.UsageError(f"--shot {short[0]}: give at least {_SHORTEST_ID} characters of the id")


def _chosen(known: Sequence[Doubt], shots: Sequence[str]) -> list[Doubt]:
    if not shots:
        return list(known)
    chosen: dict[str, Doubt] = {}
    for beginning in shots:
        found = [doubt for doubt in known if doubt.shot.startswith(beginning)]
        if len(found) > 1:
            ids = ", ".join(doubt.shot[:12] for doubt in found)
            raise UsageError(f"--shot {beginning} is the beginning of {len(found)} shots: {ids}.")
        chosen |= {doubt.shot: doubt for doubt in found}
    return list(chosen.values())


def _lost(journal: Journal) -> list[Doubt]:
    """Takes that were given up, or that the service said it does not know: a person may know better."""
    from flux2batch.engine.lifecycle import Phase
    from flux2batch.running.settling import doubt_of

    lost = [shot for shot, one in journal.standing().ended.items() if one.phase is Phase.LOST]
    return [doubt_of(journal, shot, journal.life(shot)) for shot in lost]


# What is ruled.


def ruled(
    journal: Journal, doubt: Doubt, verdict: Verdict, task_id: str | None, poll_url: str | None, reason: str | None
) -> Event:
    """The fact that a person's verdict becomes. Raises UsageError where the task id cannot be this take's."""
    from flux2batch.commands.who import this_person
    from flux2batch.engine.events import Abandoned, Accepted, Resubmitted, RuledUnsent
    from flux2batch.running.feed import service_of
    from flux2batch.running.settling import is_taken, origin_of, tasks_known

    person = this_person()
    match verdict:
        case "not_accepted":
            return RuledUnsent(by=person, reason=reason or f"{person} says that the service did not take it")
        case "abandon":
            return Abandoned(by=person, reason=reason or f"given up by {person}")
        case "resubmit":
            return Resubmitted(by=f"{person}: {reason}" if reason else person, number=doubt.life.resubmissions + 1)
        case _:
            from flux2batch.providers.registry import ticket_for

            service = service_of(doubt.intended.model)
            origin = origin_of(journal, service)
            assert task_id is not None
            assert origin is not None, "BUG: sent to a service that no run named"
            ticket = ticket_for(
                service,
                task_id,
                model=doubt.intended.model,
                endpoint=doubt.intended.endpoint,
                origin=origin,
                poll_url=poll_url,
            )
            if is_taken(ticket, tasks_known(journal), doubt.shot):
                raise UsageError(f"Task {task_id} belongs to another shot of this run directory.")
            why = f": {reason}" if reason else ""
            return Accepted(ticket=ticket, charge=None, evidence=f"by hand, by {person}{why}")


def _look(
    console: Console,
    opened: RunDirectory,
    known: Sequence[Doubt],
    *,
    sets: tuple[str, ...],
    check_urls: bool,
    config: Path | None,
    at: datetime,
) -> dict[str, Event]:
    """What the service's own listing says of these takes."""
    from flux2batch.commands.checking_urls import fetch_picture
    from flux2batch.commands.running_a_plan import plan_of
    from flux2batch.engine.events import Accepted
    from flux2batch.running.listing import look
    from flux2batch.running.services import emulates_itself, open_services
    from flux2batch.running.settling import tasks_known

    job_file = opened.journal.meta("job_file")
    if not known:
        return {}
    if job_file is None:
        raise UsageError(f"{opened.root} was made from Python: what was sent is not known here.")
    plan = plan_of(
        Path(job_file),
        sets=sets,
        strict=False,
        assume_price=None,
        max_shots=None,
        allow_paths=(),
        config=config,
        max_usd=None,
        fetch=fetch_picture if check_urls else None,
    )
    emulate = opened.journal.meta("kind") == "emulated" and emulates_itself(opened.root)
    settled: dict[str, Event] = {}
    with open_services(plan, emulate=emulate, inner=opened.inner, environ=os.environ) as services:
        for found in look(plan, services, known, tasks_known(opened.journal)):
            console.say(f"{found.doubt.shot[:8]}  as of {at:%H:%M} UTC: {found.says}")
            if found.ticket is not None:
                settled[found.doubt.shot] = Accepted(ticket=found.ticket, charge=None, evidence="listing")
    return settled


# What is said.


def _list(console: Console, root: Path, shots: Sequence[str], *, as_json: bool) -> None:
    from flux2batch.engine.lock import driver_of
    from flux2batch.engine.run_directory import look_into
    from flux2batch.running.settling import doubts

    with look_into(root) as opened:
        known = _chosen(doubts(opened.journal, driven=driver_of(opened.inner) is not None), shots)
    if as_json:
        for doubt in known:
            console.print_json(_as_data(doubt))
        return
    if not known:
        console.say(styled("✓ ", "green"), f"Nothing is in doubt in {root}.")
        return
    for doubt in known:
        console.print_all(evidence(doubt))
        console.print()
    console.say_all(_ways_out(root, known[0]))


def evidence(doubt: Doubt) -> Iterator[Sequence[Part]]:
    """What is known of a take in doubt, in a few lines."""
    from flux2batch.money import show

    intended = doubt.intended
    where = ", ".join(f"{axis}={id}" for axis, (id, _) in intended.coordinates.items())
    yield (styled(doubt.shot[:12], "red"), f"  {intended.paths[0] if intended.paths else ''}  ", styled(where, "dim"))
    yield (f"  {intended.model}: {intended.prompt[:200]}",)
    sent = f"{doubt.sent_at:%Y-%m-%d %H:%M:%S} UTC" if doubt.sent_at else "at an unknown time"
    status = f" (status {doubt.status})" if doubt.status else ""
    yield (f"  sent {sent}, take {intended.take}; {doubt.life.reason or 'no answer'}{status}",)
    if doubt.excerpt:
        yield ("  what came back: ", styled(doubt.excerpt[:200], "dim"))
    yield ("  may have cost ", styled(show(doubt.possible), "bold"))


def _ways_out(root: Path, doubt: Doubt) -> Iterator[Sequence[Part]]:
    from flux2batch.running.feed import service_of
    from flux2batch.running.listing import LISTS

    this = f"flux2batch resolve {root} --shot {doubt.shot[:8]}"
    yield ("Look at the service's dashboard for the time and the prompt, then say what became of it:",)
    for line, says in (
        (f"flux2batch resolve {root} --look", "ask the service's listing")
        if service_of(doubt.intended.model) in LISTS
        else ("", ""),
        (f"{this} --accepted --task-id ID", "it is there: the next run fetches it"),
        (f"{this} --not-accepted", "it is not there: the next run sends it"),
        (f"{this} --resubmit", "buy it again, be it paid for or not"),
        (f"{this} --abandon", "give it up; its possible charge stays in the books"),
    ):
        if line:
            yield (f"  {line}", styled(f"  {says}", "dim"))
    yield (styled("  --all in the place of --shot settles all of them alike", "dim"),)


def _as_data(doubt: Doubt) -> dict[str, Any]:
    intended = doubt.intended
    return {
        "schema_version": SCHEMA_VERSION,
        "shot": doubt.shot,
        "take": intended.take,
        "model": intended.model,
        "prompt": intended.prompt,
        "coordinates": {axis: id for axis, (id, _) in intended.coordinates.items()},
        "path": intended.paths[0] if intended.paths else None,
        "sent": doubt.sent_at.isoformat(timespec="seconds") if doubt.sent_at else None,
        "given_up": doubt.at.isoformat(timespec="seconds") if doubt.at else None,
        "reason": doubt.life.reason,
        "status": doubt.status,
        "excerpt": doubt.excerpt,
        "possible_usd": f"{doubt.possible:f}",
    }


_SAID = {
    "accepted": "taken up: the next run fetches it",
    "look": "taken up: the next run fetches it",
    "not_accepted": "not sent: the next run sends it",
    "resubmit": "given up for another: the next run buys it again",
    "abandon": "given up",
}


def _tell(console: Console, settled: Sequence[Doubt], verdict: Verdict, *, as_json: bool) -> None:
    for doubt in settled:
        if as_json:
            console.print_json({**_as_data(doubt), "ruled": verdict})
        else:
            place = doubt.intended.paths[0] if doubt.intended.paths else ""
            console.say(styled("✓ ", "green"), f"{doubt.shot[:8]}  {place}  {_SAID[verdict]}")
    if not settled and verdict != "look" and not as_json:
        console.say("Nothing is in doubt.")
