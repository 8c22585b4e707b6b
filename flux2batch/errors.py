"""The one hierarchy of everything flux2batch raises on purpose.

    FluxError                  exit  what the reader can do about it
    ├── UsageError               2   type the command differently
    ├── InvalidInput           3, 4  mend the job file or what it names (carries problems)
    ├── Refused                  4   raise a limit, or decide otherwise
    ├── AccountError             6   see to the key or the credits
    └── MachineError             7   see to the disk, the lock, the network

What a service says about a shot is never raised: it is an event (see engine/events.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flux2batch.reading.problems import Problem


class FluxError(Exception):
    """Anything that ends a command for a reason its user can act on."""

    exit_code = 8


class UsageError(FluxError):
    """The command line, or a call from Python, makes no sense as it stands."""

    exit_code = 2


class InvalidInput(FluxError):
    """A job file, or something that it names, has problems; all of them are in `problems`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.headline for problem in self.problems))

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # a class attribute elsewhere: here it depends on what was found
        from flux2batch.reading.problems import exit_code

        return exit_code(self.problems)


class Refused(FluxError):
    """A rule of safety or of budget said no before anything was sent."""

    exit_code = 4


class AccountError(FluxError):
    """The service refuses the key or the account."""

    exit_code = 6


class MachineError(FluxError):
    """This machine cannot do it now: disk, lock, journal or network."""

    exit_code = 7
