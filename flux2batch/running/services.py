"""The services of one run: real ones with their keys, or an emulator that is started for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from flux2batch.engine.run_directory import INNER
from flux2batch.errors import AccountError, Refused
from flux2batch.planning.configuration import is_loopback
from flux2batch.planning.keys import KEY_NAMES, find_keys, key_fault
from flux2batch.planning.plan import Plan
from flux2batch.planning.shots.findings import of_fault
from flux2batch.providers.contract import Provider
from flux2batch.providers.registry import make
from flux2batch.running.feed import service_of
from flux2batch.secret import Secret

_Keys = dict[str, tuple[str | None, Secret | None]]  # service → base URL where it is not the configured one, and key
_LOCAL = "local"
_EMULATED_LATENCY = "0.6±0.2"
_BOOKS = "emulator.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The providers that a plan names, in the order in which it names them."""

    providers: Mapping[str, Provider]
    secrets: tuple[Secret, ...]  # the keys in use: whatever is written down is searched for them


def services_of(plan: Plan) -> tuple[str, ...]:
    """The names of the services that a plan needs."""
    return tuple(dict.fromkeys(service_of(model) for model, _ in plan.totals.models))


def on_this_machine(plan: Plan) -> bool:
    """Whether the plan's services stand on loopback: an emulator that the user runs. Such a run costs nothing.

    Raises Refused where one does and another does not: pictures of both would lie in one run directory.
    """
    services = plan.configuration.services
    local = {is_loopback(services[name].base_url) for name in services_of(plan) if name in services}
    if len(local) > 1:
        raise Refused("One service of this job is on this machine and another is not; run them as two jobs.")
    return local == {True}


def emulates_itself(root: Path) -> bool:
    """Whether a run directory's pictures come from the emulator that a run starts for itself: its books lie in it."""
    return (root / INNER / _BOOKS).is_file()


@contextmanager
def open_services(plan: Plan, *, emulate: bool, inner: Path, environ: Mapping[str, str]) -> Iterator[Services]:
    """Open what the plan needs. Raises AccountError with what is wrong with a key; nothing is sent."""
    with ExitStack() as stack:
        keys = _emulated(plan, inner, stack) if emulate else _real(plan, environ)
        opened = {
            name: _painted(plan)
            if emulate and name == _LOCAL
            else make(name, plan.configuration, base_url=url, key=key)
            for name, (url, key) in keys.items()
        }
        for provider in opened.values():
            stack.callback(provider.close)
        yield Services(providers=opened, secrets=tuple(key for _, key in keys.values() if key is not None))


def _real(plan: Plan, environ: Mapping[str, str]) -> _Keys:
    keys, _ = find_keys(environ, [Path.cwd(), plan.job.folder])
    needed = [name for name in services_of(plan) if name in KEY_NAMES]  # others look after theirs themselves
    faults = [fault for name in needed if (fault := key_fault(name, keys.get(name))) is not None]
    if faults:
        document = plan.job.document
        where = document.place(("model",)) if "model" in document.data else document.whole
        raise AccountError.of(of_fault(fault, where=where, steps=("model",)) for fault in faults)
    return {name: (None, keys[name].secret if name in keys else None) for name in services_of(plan)}


def _painted(plan: Plan) -> Provider:
    """The very provider of local models, with a painter in the place of the weights."""
    from flux2batch.planning.models.catalogue import entries
    from flux2batch.providers.local.bench import Bench
    from flux2batch.providers.local.provider import Local
    from flux2batch.running.painted import Painter

    known = entries(plan.configuration.models)
    return Local(Bench(lambda: [Painter(known)]), entry=known.__getitem__)


def _emulated(plan: Plan, inner: Path, stack: ExitStack) -> _Keys:
    """An emulator of our own. Its books lie in the run directory, so a killed run finds its tasks again."""
    from flux2batch.emulator.server import Emulator

    emulator = stack.enter_context(Emulator(books=inner / _BOOKS, latency=_EMULATED_LATENCY, concurrency=40))
    urls = {"bfl": emulator.bfl_base_url, "fal": emulator.fal_base_url}
    keys = {"bfl": emulator.bfl_api_key, "fal": emulator.fal_key}
    named = {name: (urls[name], Secret(keys[name])) for name in services_of(plan) if name != _LOCAL}
    return {**named, **{name: (None, None) for name in services_of(plan) if name == _LOCAL}}
