"""The workers that the configuration names, for a run: threads of this process, or a fleet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from flux2batch.errors import InvalidInput
from flux2batch.planning.configuration_local import Local
from flux2batch.planning.models.catalogue import Entry
from flux2batch.providers.local import extra
from flux2batch.providers.local.bench import Bench
from flux2batch.providers.local.request import Drawer, Request, State, Workers
from flux2batch.providers.local.weights import weights_fault
from flux2batch.reading.problems import error


class Opened:
    """Workers that are made when they are first needed. Until then only what loads nothing is looked at."""

    def __init__(self, wish: Local, *, entries: Callable[[], Mapping[str, Entry]]) -> None:
        self._wish = wish
        self._entries = entries
        self._checked: frozenset[str] = frozenset()
        self._workers: Workers | None = None

    @property
    def at_once(self) -> int:
        """As the workers say; before there are any, enough to begin with."""
        return self._workers.at_once if self._workers else 2

    def check(self, models: Sequence[str]) -> None:
        """Raise InvalidInput with everything that is missing or wrong: libraries, folders, what lies in them."""
        if self._checked.issuperset(models):
            return
        entries = self._entries()
        folders = {model: self._wish.folder_of(model) for model in models}
        unnamed = [model for model, folder in folders.items() if folder is None]
        faults = [
            fault
            for model, folder in folders.items()
            if folder is not None and (fault := weights_fault(folder, entries[model], entries.values())) is not None
        ]
        problems = [error(fault.code, fault.message, where=None, help=fault.help) for fault in faults]
        if unnamed:
            help = f'name one: --local-weights DIR, or in config.toml [service.local] weights = {{"{unnamed[0]}" = …}}'
            problems.append(
                error("FB025", f"no folder of weights is named for {', '.join(unnamed)}", where=None, help=help)
            )
        if problems:
            raise InvalidInput(problems)
        extra.require("local", extra.LOCAL, wanted_by=f"drawing {models[0]} on this machine")
        if self._wish.fleet is not None:
            extra.require("ray", extra.FLEET, wanted_by="--fleet")
        self._checked |= frozenset(models)

    def make_ready(self, models: Sequence[str]) -> Sequence[str]:
        """Check, then load."""
        self.check(models)
        if self._workers is None:
            self._workers = _workers(self._wish, self._entries())
        return self._workers.make_ready(models)

    def hand_over(self, task: str, request: Request) -> None:
        """Put it at the end of the queue."""
        assert self._workers is not None, "BUG: handed over before anybody was ready"
        self._workers.hand_over(task, request)

    def state(self, task: str) -> State | None:
        """Where the task is; None where nobody knows it."""
        return self._workers.state(task) if self._workers else None

    def take(self, task: str) -> bytes | None:
        """The picture, which is forgotten here."""
        return self._workers.take(task) if self._workers else None

    def stop(self) -> None:
        """Give back what is not drawn."""
        if self._workers:
            self._workers.stop()

    def close(self) -> None:
        """Let go of the devices."""
        if self._workers:
            self._workers.close()


def _workers(wish: Local, entries: Mapping[str, Entry]) -> Workers:
    if wish.fleet is not None:
        from flux2batch.providers.local.fleet import Fleet

        return Fleet(wish, entries=entries)
    return Bench(lambda: drawers(wish, entries))


def drawers(wish: Local, entries: Mapping[str, Entry]) -> Sequence[Drawer]:
    """A pipeline for each device that is to draw here."""
    from flux2batch.providers.local.devices import placements, this_machine
    from flux2batch.providers.local.pipeline import Pipeline

    weights = _folders(wish, entries)
    return [Pipeline(placement, weights=weights, entries=entries) for placement in placements(wish, this_machine())]


def _folders(wish: Local, entries: Mapping[str, Entry]) -> Mapping[str, Path]:
    found = {model: wish.folder_of(model) for model, entry in entries.items() if entry.weights is not None}
    return {model: folder for model, folder in found.items() if folder is not None}
