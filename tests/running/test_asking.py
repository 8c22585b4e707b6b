"""`--on-unknown ask`: on a terminal it asks what became of a lost take; in a script it holds it."""

from __future__ import annotations

import os
import select
import subprocess
import time
from pathlib import Path

import pytest
from outside import Outside

from flux2batch.emulator.server import Emulator

pty = pytest.importorskip("pty", reason="a terminal of POSIX")

ONE = 'flux2batch: 1\nname: boats\nmodel: MODEL\nprompt: "a boat"\nparams: {size: 256x256}\n'


class Person:
    """The command on a terminal, and somebody who answers its questions."""

    def __init__(self, outside: Outside, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            outside.command("--on-unknown", "ask", *arguments),
            cwd=outside.folder,
            env={**os.environ, **outside.environ, "NO_COLOR": "1", "COLUMNS": "120"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            close_fds=True,
        )
        os.close(theirs)
        self.said = ""

    def answers(self, question: str, answer: str) -> None:
        """Wait for the question, and type."""
        seen = len(self.said)
        ends = time.monotonic() + 60
        while question not in self.said[seen:]:
            assert time.monotonic() < ends, self.said
            self._read()
        os.write(self._ours, answer.encode() + b"\n")

    def leaves(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait(timeout=60)

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 60)[0]:
            raise AssertionError(f"nothing more was said:\n{self.said}")
        try:
            came = os.read(self._ours, 65536)
        except OSError:  # Linux tells in this way that the other end is closed
            return False
        self.said += came.decode("utf-8", "replace")
        return bool(came)


@pytest.fixture
def lost(tmp_path: Path):
    """One shot, taken by the service, whose answer is lost; a second try is answered."""
    with Emulator(latency="0.1", faults=["drop-after-accept@1"]) as emulator:
        yield Outside(tmp_path, job=ONE.replace("MODEL", "bfl/flux-2-pro"), emulator=emulator)


def test_a_take_that_is_bought_again_on_the_terminal_is_sent_at_once(lost: Outside) -> None:
    person = Person(lost, "-q")
    person.answers("What became of it", "resubmit")

    code = person.leaves()

    assert code == 0, person.said
    assert "may have cost $0.03" in person.said
    assert len(lost.pictures()) == 1
    assert lost.posts == 2


def test_a_take_whose_id_is_given_is_fetched_and_a_wrong_id_is_asked_for_again(lost: Outside) -> None:
    lost.change("bfl/", "fal/")
    person = Person(lost, "-q")
    person.answers("What became of it", "accepted")
    person.answers("that the service gave it", "no id at all")
    assert lost.emulator is not None
    (task,) = lost.emulator.books.tasks()
    person.answers("What became of it", "accepted")
    person.answers("that the service gave it", task.id)

    assert person.leaves() == 0, person.said
    assert len(lost.pictures()) == 1
    assert lost.posts == 1


@pytest.mark.parametrize("answer", ["", "hold", "\x04"], ids=["just return", "hold", "the end of the input"])
def test_without_an_answer_it_is_held(lost: Outside, answer: str) -> None:
    person = Person(lost, "-q")
    person.answers("What became of it", answer)

    assert person.leaves() == 5, person.said
    assert lost.last_facts() == {"Unanswered": 1}
    assert lost.posts == 1


def test_of_bfl_the_polling_url_is_asked_for_as_well_and_an_evil_one_is_never_asked(lost: Outside) -> None:
    person = Person(lost, "-q")
    person.answers("What became of it", "accepted")
    person.answers("that the service gave it", "7c9e66")
    person.answers("polling URL", "https://evil.test/")
    person.answers("What became of it", "hold")

    assert person.leaves() == 5, person.said
    assert "is never asked" in person.said
    assert lost.last_facts() == {"Unanswered": 1}


def test_what_was_given_up_ends_and_is_not_sent(lost: Outside) -> None:
    person = Person(lost, "-q")
    person.answers("What became of it", "abandon")

    assert person.leaves() == 5, person.said
    assert lost.last_facts() == {"Abandoned": 1}
    assert lost.posts == 1


def test_in_a_script_nobody_is_asked_and_it_is_held(lost: Outside) -> None:
    done = subprocess.run(
        [*lost.command("--on-unknown", "ask", "-q")],
        cwd=lost.folder,
        env={**os.environ, **lost.environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 5
    assert "Nobody is here to ask about them: they are held." in done.stderr
    assert lost.posts == 1
