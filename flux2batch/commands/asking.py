"""`--on-unknown ask`: show each take whose answer was lost, and ask on the terminal what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flux2batch.commands.console import Console, counted, styled
from flux2batch.commands.resolve import Verdict, evidence, ruled
from flux2batch.errors import UsageError

if TYPE_CHECKING:
    from flux2batch.engine.events import Event
    from flux2batch.engine.journal import Journal
    from flux2batch.running.settling import Doubt

_ANSWERS: dict[str, Verdict | None] = {
    "hold": None,
    "accepted": "accepted",
    "not-accepted": "not_accepted",
    "resubmit": "resubmit",
    "abandon": "abandon",
}
_MEANINGS = (
    ("hold", "leave it: nothing is sent, its possible charge counts"),
    ("accepted", "the service took it: you give its task id, and it is fetched"),
    ("not-accepted", "it never came to be: it is sent"),
    ("resubmit", "buy it again, be it paid for or not"),
    ("abandon", "give it up: its possible charge stays in the books"),
)


def ask_about_doubts(console: Console, root: Path, state_folder: Path) -> bool:
    """Ask about each, and record what is ruled; whether there is now something to send or to fetch.

    Ctrl-C, or the end of the input, holds those that were not asked about.
    """
    from flux2batch.running.settling import doubts, open_to_settle, record

    now = datetime.now(UTC)
    with open_to_settle(root, now=now, state_folder=state_folder) as opened:
        known = doubts(opened.journal, driven=False)
        console.say()
        console.say(f"{counted(len(known), 'shot')} may have been paid for. What became of each?")
        console.say_all((f"  {answer:<14}", styled(meaning, "dim")) for answer, meaning in _MEANINGS)
        facts: list[tuple[Doubt, Event]] = []
        try:
            for doubt in known:
                console.say()
                console.say_all(evidence(doubt))
                event = _asked(console, opened.journal, doubt)
                facts += [(doubt, event)] if event else []
        except click.Abort:
            console.say()
        if facts:
            settled = [(doubt.shot, one) for doubt, event in facts for one in (*doubt.first, event)]
            record(opened, settled, command="run", at=now)
    return any(_goes_on(event) for _, event in facts)


def _asked(console: Console, journal: Journal, doubt: Doubt) -> Event | None:
    while True:
        answer = click.prompt(
            "What became of it", type=click.Choice(list(_ANSWERS)), default="hold", show_choices=False, err=True
        )
        verdict = _ANSWERS[answer]
        if verdict is None:
            return None
        task_id, poll_url = _found(doubt) if verdict == "accepted" else (None, None)
        try:
            return ruled(journal, doubt, verdict, task_id, poll_url, None)
        except UsageError as problem:
            console.say(styled(str(problem), "red"))


def _found(doubt: Doubt) -> tuple[str, str | None]:
    """The task as the person found it. BFL answers for it at a region's host, which the id alone does not tell."""
    task_id = click.prompt("The task id that the service gave it", err=True)
    if not doubt.intended.model.startswith("bfl/"):
        return task_id, None
    poll_url = click.prompt(
        "Its polling URL, or return if you do not have it", default="", show_default=False, err=True
    )
    return task_id, poll_url or None


def _goes_on(event: Event) -> bool:
    from flux2batch.engine.events import Abandoned

    return not isinstance(event, Abandoned)
