"""The one hierarchy of everything flux2batch raises on purpose.

    FluxError                  exit  what the reader can do about it
    ├── UsageError               2   type the command differently
    ├── InvalidInput           3, 4  mend the job file or what it names (carries problems)
    ├── Refused                  4   raise a limit, or decide otherwise
    ├── AccountError             6   see to the key or the credits
    ├── MachineError             7   see to the disk, the lock, the network
    │   └── GoneForGood          7   (the same, where trying again cannot help)
    └── NoPicture                1   (of Client alone) read what became of the one picture
        ├── RequestRejected      1   mend what the service names
        ├── PictureModerated     1   change the prompt or the references
        ├── GenerationFailed     1   ask again: the service could not draw it
        ├── AnswerLost           5   look at the account before asking again: it may be charged
        ├── PictureLost          5   ask the service: it no longer knows a task that it took
        └── DeadlineExceeded     5   collect it later, with the ticket

What a service says about a shot of a run is never raised: it is an event (see engine/events.py). Client makes one
picture while somebody waits for it, and raises what is not a picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flux2batch.engine.events import Ticket
    from flux2batch.money import Money
    from flux2batch.reading.problems import Problem


def _headlines(problems: Iterable[Problem]) -> str:
    return "\n".join(problem.headline for problem in problems)


class FluxError(Exception):
    """Anything that ends a command for a reason its user can act on.

    `problems` is the same with codes and places, where it has any: a command shows them as --format asks.
    """

    exit_code = 8
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Self:
        """For these problems, which are also its text."""
        found = tuple(problems)
        made = cls(_headlines(found))
        made.problems = found
        return made


class UsageError(FluxError):
    """The command line, or a call from Python, makes no sense as it stands."""

    exit_code = 2


class InvalidInput(FluxError):
    """A job file, or something that it names, has problems; all of them are in `problems`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(_headlines(self.problems))

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # a class attribute elsewhere: here it depends on what was found
        from flux2batch.reading.problems import exit_code

        return exit_code(self.problems)


class Refused(FluxError):
    """A rule of safety or of budget said no before anything was sent."""

    exit_code = 4


class AccountError(FluxError):
    """The service refuses the key or the account. `ticket` is set where a picture was already taken on."""

    exit_code = 6

    def __init__(self, message: str, *, ticket: Ticket | None = None) -> None:
        super().__init__(message)
        self.ticket = ticket


class MachineError(FluxError):
    """This machine cannot do it now: disk, lock, journal or network."""

    exit_code = 7


class GoneForGood(MachineError):
    """What was to be written to is no longer there: trying again cannot help."""


class NoPicture(FluxError):
    """The one picture that was asked for did not come.

    `cost` is what was charged all the same, None where nobody says; `ticket` is what the service gave for the picture,
    where it had taken it on.
    """

    exit_code = 1

    def __init__(self, message: str, *, cost: Money | None = None, ticket: Ticket | None = None) -> None:
        super().__init__(message)
        self.cost = cost
        self.ticket = ticket


class RequestRejected(NoPicture):
    """The service refused the request for good. `parameters` are what it named, by our names, with its reasons."""

    def __init__(self, message: str, *, status: int, parameters: tuple[tuple[str, str], ...]) -> None:
        super().__init__(message)
        self.status = status
        self.parameters = parameters


class PictureModerated(NoPicture):
    """The service's moderation withheld the picture. Asking for the same again gives the same."""

    def __init__(
        self, message: str, *, stage: str, reasons: tuple[str, ...], cost: Money | None, ticket: Ticket | None
    ) -> None:
        super().__init__(message, cost=cost, ticket=ticket)
        self.stage = stage  # "request": the prompt or a reference; "content": what was drawn
        self.reasons = reasons


class GenerationFailed(NoPicture):
    """The service took the request and could not draw it."""


class AnswerLost(NoPicture):
    """The request was sent and no usable answer came: it may be drawn and charged, and was not sent again."""

    exit_code = 5

    def __init__(self, message: str, *, possible_cost: Money | None) -> None:
        super().__init__(message)
        self.possible_cost = possible_cost  # the most that it can have cost; None where the price is not known


class PictureLost(NoPicture):
    """The service took the request and says now that it does not know it."""

    exit_code = 5


class DeadlineExceeded(NoPicture):
    """The time of the call is over. With a ticket the picture is on its way, and `collect` fetches it later."""

    exit_code = 5
