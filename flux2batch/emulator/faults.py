"""Faults on demand: what can go wrong with a service, each by its name, and when it is to go wrong.

A fault is written `NAME[=ARGUMENT][:PROBABILITY][@FIRST[-LAST]][~TEXT]`, after `bfl.` or `fal.` if only one service is
meant: `429=7:0.1`, `drop-after-accept@3`, `bfl.content-moderated~fox`, `poll-503@1-2`. The count of `@` runs over the
submits that the fault applies to; for faults of polls and downloads over those of each task, so that `poll-404@1-2`
is "not found twice, then found". In a prompt, `[emulate NAME=ARGUMENT@1-2]` asks for one on that request alone, and
counts the submits of that same request.

Chance is drawn from the seed, the fault and the request, so that the order in which threads arrive changes nothing.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Stage(StrEnum):
    """Where in the life of a request a fault strikes."""

    WIRE = "before a request is read"
    REFUSE = "the submit is answered and no task is made"
    ACCEPT = "the task is made and the answer goes wrong"
    TASK = "what becomes of the task"
    POLL = "a poll goes wrong"
    DOWNLOAD = "a download goes wrong"
    WEBHOOK = "a callback goes wrong"


# Every name, its stage, its usual argument and one sentence for `flux2batch emulate --faults`.
KINDS: dict[str, tuple[Stage, str, str]] = {
    "reset-on-connect": (Stage.WIRE, "", "the connection is reset as soon as it is made"),
    "reset-in-body": (Stage.WIRE, "0.5", "the connection is reset when this share of the body has arrived"),
    "drop": (Stage.REFUSE, "", "the request is read and the connection closed without an answer; nothing is booked"),
    "stall": (Stage.REFUSE, "", "the request is read and never answered; nothing is booked"),
    "html": (Stage.REFUSE, "", "200 with a page, as a captive portal answers"),
    "empty": (Stage.REFUSE, "", "200 with nothing"),
    "redirect": (Stage.REFUSE, "http://127.0.0.1:9/", "307 to another address"),
    "drop-after-accept": (Stage.ACCEPT, "", "booked, then the connection is closed without an answer"),
    "reset-after-accept": (Stage.ACCEPT, "", "booked, then the connection is reset"),
    "stall-after-accept": (Stage.ACCEPT, "", "booked, then no answer, or one after this many seconds"),
    "slow-answer": (Stage.ACCEPT, "0.3", "booked, then answered one byte at a time with this pause"),
    "cut-answer": (Stage.ACCEPT, "40", "booked, then the answer with its head ends after this many bytes"),
    "cut-body": (Stage.ACCEPT, "20", "booked, then the answer's body ends after this many bytes"),
    "garbage-answer": (Stage.ACCEPT, "HTTP/1.", "booked, then these bytes and the end"),
    "html-answer": (Stage.ACCEPT, "", "booked, then 200 with a page"),
    "chunked-answer": (Stage.ACCEPT, "7", "a correct answer in chunks of this size"),
    "gzip-answer": (Stage.ACCEPT, "", "a correct answer, compressed"),
    "early-hints": (Stage.ACCEPT, "", "a correct answer after 103 Early Hints"),
    "many-headers": (Stage.ACCEPT, "10000", "a correct answer with this many headers"),
    "huge-header": (Stage.ACCEPT, "70000", "a correct answer with one header of this many bytes"),
    "missing-id": (Stage.ACCEPT, "", "booked, and the answer has no id"),
    "odd-id": (Stage.ACCEPT, "number", "booked, and the id is a number, long (1 MB), or has control characters"),
    "duplicate-id": (Stage.ACCEPT, "", "booked, and the answer has the id of the task before"),
    "cost": (Stage.ACCEPT, "null", "the answer's cost is null, negative, string, nan or missing"),
    "polling-url": (Stage.ACCEPT, "", "the answer's polling URL is this one, or missing"),
    "request-moderated": (Stage.TASK, "Sexual Content", "refused for its prompt, with this reason, or none"),
    "content-moderated": (Stage.TASK, "Protected Content", "refused for its picture, with this reason, or none"),
    "error": (Stage.TASK, "Generation failed", "ends with Error and this message, or none"),
    "failed": (Stage.TASK, "", "ends with Failed"),
    "reasoning": (Stage.TASK, "", "goes through Reasoning and Generating"),
    "status": (Stage.TASK, "Frobnicating", "has this status while it works"),
    "never-ends": (Stage.TASK, "", "never gets done"),
    "vanish": (Stage.TASK, "1", "is not found any more after this many polls"),
    "flip": (Stage.TASK, "", "is Ready once, then Pending once, then Ready"),
    "no-sample": (Stage.TASK, "", "Ready, without an address of the picture"),
    "sample": (Stage.TASK, "http://127.0.0.1:9/x.jpeg", "Ready, with this address of the picture"),
    "black": (Stage.TASK, "", "a black frame, flagged by fal"),
    "wrong-size": (Stage.TASK, "", "a picture of another size than was asked for"),
    "wrong-format": (Stage.TASK, "", "a picture of another format than was asked for"),
    "units": (Stage.TASK, "none", "fal's billable units are this, or none"),
    "poll-drop": (Stage.POLL, "", "the connection is closed without an answer"),
    "poll-stall": (Stage.POLL, "", "no answer"),
    "poll-html": (Stage.POLL, "", "200 with a page"),
    "poll-cut": (Stage.POLL, "60", "the answer's body ends after this many bytes"),
    "poll-nan": (Stage.POLL, "", "a number is NaN"),
    "poll-deep": (Stage.POLL, "100000", "nested this deep"),
    "poll-huge": (Stage.POLL, "50000000", "an answer of this many bytes"),
    "poll-duplicate-keys": (Stage.POLL, "", "every key twice"),
    "expired": (Stage.DOWNLOAD, "", "403 as after the address has expired"),
    "truncated": (Stage.DOWNLOAD, "0.6", "the length is promised and this share of it comes"),
    "short": (Stage.DOWNLOAD, "0.6", "no length, and this share of the picture"),
    "half-picture": (Stage.DOWNLOAD, "0.6", "a file that is cut off, with a matching length"),
    "corrupt": (Stage.DOWNLOAD, "", "one byte in the middle is another"),
    "html-picture": (Stage.DOWNLOAD, "", "200 with a page in place of the picture"),
    "endless": (Stage.DOWNLOAD, "", "a picture that never ends"),
    "slow-picture": (Stage.DOWNLOAD, "1", "a kilobyte, this many seconds, a kilobyte"),
    "stall-picture": (Stage.DOWNLOAD, "", "no answer"),
    "gzip-bomb": (Stage.DOWNLOAD, "", "a small body that unpacks to 300 MB"),
    "redirect-picture": (Stage.DOWNLOAD, "http://127.0.0.1:9/", "302 to another address"),
    "webhook-success": (Stage.WEBHOOK, "", "the callback in the older shape, with SUCCESS"),
    "webhook-twice": (Stage.WEBHOOK, "", "the callback comes twice"),
    "webhook-none": (Stage.WEBHOOK, "", "the callback never comes"),
    "webhook-early": (Stage.WEBHOOK, "", "the callback comes before the answer to the submit"),
}
CODED: dict[str, tuple[Stage, str, str]] = {  # names with a status in them
    "NNN": (Stage.REFUSE, "", "this status from 300 to 599; 429=7, 429=date and 429=soon bring a Retry-After"),
    "NNN-after-accept": (Stage.ACCEPT, "", "booked, then answered with this status"),
    "poll-NNN": (Stage.POLL, "", "a poll is answered with this status; poll-404 in the service's words"),
    "download-NNN": (Stage.DOWNLOAD, "", "a download is answered with this status"),
}
_CODED = (
    (re.compile(r"([345]\d\d)"), Stage.REFUSE),
    (re.compile(r"([345]\d\d)-after-accept"), Stage.ACCEPT),
    (re.compile(r"poll-([345]\d\d)"), Stage.POLL),
    (re.compile(r"download-([345]\d\d)"), Stage.DOWNLOAD),
)
_WRITTEN = re.compile(
    r"(?:(?P<service>bfl|fal)\.)?(?P<name>[a-z0-9-]+)(?:=(?P<argument>.*?))?"
    r"(?::(?P<probability>[0-9.]+))?(?:@(?P<first>\d+)(?P<to>-(?P<last>\d+)?)?)?(?:~(?P<text>.+))?",
    re.DOTALL,
)
_MARKER = re.compile(r"\[emulate ([^\]]*)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong, and when."""

    name: str
    argument: str
    service: str | None
    probability: float
    first: int
    last: int | None
    text: str | None  # strikes only where the prompt or the model has this in it

    @property
    def stage(self) -> Stage:
        return _stage_of(self.name)

    @property
    def status(self) -> int:
        """The HTTP status in the name."""
        digits = re.search(r"\d\d\d", self.name)
        assert digits is not None, f"BUG: {self.name} names no status"
        return int(digits[0])

    def counts(self, ordinal: int) -> bool:
        """Whether it strikes the n-th time."""
        return self.first <= ordinal and (self.last is None or ordinal <= self.last)

    def __str__(self) -> str:
        span = "" if (self.first, self.last) == (1, None) else f"@{self.first}-{self.last or ''}"
        if self.first == self.last:
            span = f"@{self.first}"
        argument = f"={self.argument}" if self.argument else ""
        return f"{self.name}{argument}{span}"


def parse_fault(written: str) -> Fault:
    """Read one fault; raises ValueError with a plain reason."""
    found = _WRITTEN.fullmatch(written.strip())
    if found is None:
        raise ValueError(f"{written!r} is not a fault: write a name, as in 429:0.1 or drop-after-accept@3")
    name = found["name"]
    _stage_of(name)
    usual = KINDS[name][1] if name in KINDS else ""
    argument = usual if found["argument"] is None else found["argument"]
    probability = 1.0 if found["probability"] is None else float(found["probability"])
    if not 0 <= probability <= 1:
        raise ValueError(f"{written!r}: a probability is from 0 to 1")
    _check_argument(name, argument, written)
    first = int(found["first"] or 1)
    last = None if found["first"] is None or (found["to"] and not found["last"]) else int(found["last"] or first)
    return Fault(
        name=name,
        argument=argument,
        service=found["service"],
        probability=probability,
        first=first,
        last=last,
        text=found["text"],
    )


def parse_kept(texts: Iterable[str]) -> tuple[Fault, ...]:
    """The faults of a task as the books keep them."""
    return tuple(parse_fault(text) for text in texts)


def _stage_of(name: str) -> Stage:
    if name in KINDS:
        return KINDS[name][0]
    for pattern, stage in _CODED:
        if pattern.fullmatch(name):
            return stage
    near = difflib.get_close_matches(name, KINDS, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"there is no fault {name!r}{hint}")


_NUMERIC = {
    *("reset-in-body", "slow-answer", "cut-answer", "cut-body", "chunked-answer", "many-headers", "huge-header"),
    *("vanish", "poll-cut", "poll-deep", "poll-huge", "truncated", "short", "half-picture", "slow-picture"),
}


def _check_argument(name: str, argument: str, written: str) -> None:
    if name in _NUMERIC or (name == "stall-after-accept" and argument):
        try:
            positive = float(argument) >= 0
        except ValueError:
            positive = False
        if not positive:
            raise ValueError(f"{written!r}: {name} takes a number, got {argument!r}")
    if "\r" in argument or "\n" in argument:
        raise ValueError(f"{name} takes an argument of one line")


def markers_in(prompt: str) -> tuple[Fault, ...]:
    """The faults that a prompt asks for; raises ValueError for one that does not exist."""
    faults = tuple(parse_fault(found[1]) for found in _MARKER.finditer(prompt))
    for fault in faults:
        if fault.stage is Stage.WIRE:
            raise ValueError(f"{fault.name} strikes before a prompt is read, so a prompt cannot ask for it")
    return faults


class Script:
    """The faults of one emulator and how far each has counted."""

    def __init__(self, faults: Sequence[Fault], *, seed: int) -> None:
        self._faults = tuple(faults)
        self._seed = seed
        self._met: Counter[int] = Counter()
        self._rng = Random(f"wire {seed}")

    @property
    def draws(self) -> bool:
        """Whether any fault needs to know how often a request has come."""
        return any(fault.probability < 1 for fault in self._faults)

    def on_wire(self, name: str) -> Fault | None:
        """The fault of this name that strikes the next connection or body, if any."""
        for number, fault in enumerate(self._faults):
            if fault.name != name:
                continue
            self._met[number] += 1
            if fault.counts(self._met[number]) and self._rng.random() < fault.probability:
                return fault
        return None

    def at_submit(
        self, *, service: str, model: str, prompt: str, request_sha256: str, ordinal: int
    ) -> tuple[Fault, ...]:
        """All faults that this submit has to suffer, now or later; `ordinal` counts its own repetitions from 1."""
        struck = [fault for fault in markers_in(prompt) if _later(fault) or fault.counts(ordinal)]
        for number, fault in enumerate(self._faults):
            if fault.stage is Stage.WIRE or (fault.service or service) != service:
                continue
            if fault.text is not None and fault.text not in prompt and fault.text not in model:
                continue
            if fault.probability < 1 and self._chance(number, request_sha256, ordinal) >= fault.probability:
                continue
            self._met[number] += 1
            if _later(fault) or fault.counts(self._met[number]):
                struck.append(fault)
        return tuple(struck)

    def _chance(self, number: int, request_sha256: str, ordinal: int) -> float:
        name = f"{self._seed}|{number}|{self._faults[number]}|{request_sha256}|{ordinal}"
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big") / 2**56


def _later(fault: Fault) -> bool:
    """Whether its count runs over the polls or downloads of a task."""
    return fault.stage in (Stage.POLL, Stage.DOWNLOAD)


def first_of(faults: Iterable[Fault], stage: Stage, *, ordinal: int | None = None) -> Fault | None:
    """The first fault of a stage that strikes the n-th time."""
    for fault in faults:
        if fault.stage is stage and (ordinal is None or fault.counts(ordinal)):
            return fault
    return None


def named(faults: Iterable[Fault], name: str) -> Fault | None:
    """The fault of a name."""
    return next((fault for fault in faults if fault.name == name), None)
