"""Look over a machine, its keys and a run directory before something goes wrong; nothing is spent."""

from __future__ import annotations

import platform
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable
from urllib.parse import urlsplit

from flux2batch import __version__
from flux2batch.engine.events import AccountRefused, PollFailed
from flux2batch.engine.journal import JournalDamaged
from flux2batch.engine.lock import driver_of
from flux2batch.engine.purse import spent_today
from flux2batch.engine.run_directory import INNER, Memory, RunDirectory, look_into, probe
from flux2batch.errors import MachineError
from flux2batch.money import ZERO, Money, show
from flux2batch.planning.configuration import Configuration, is_loopback
from flux2batch.planning.keys import KEY_NAMES, find_keys, key_fault
from flux2batch.providers.contract import Provider
from flux2batch.providers.registry import make, ticket_for
from flux2batch.providers.transport import HttpResponse, Pool, Timeouts
from flux2batch.reporting import ledger
from flux2batch.running.overview import overview
from flux2batch.running.recovering import is_whole

State = Literal["good", "note", "bad"]

_LITTLE_BYTES = 1_000_000_000
_TOO_LITTLE_BYTES = 50_000_000
_SKEW_S = 60.0
_NO_TASK = "00000000-0000-0000-0000-000000000000"
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    says: str
    help: str | None
    exit_code: int  # of the command, where the state is bad


def _good(name: str, says: str) -> Check:
    return Check(name=name, state="good", says=says, help=None, exit_code=0)


def _note(name: str, says: str, help: str | None = None) -> Check:
    return Check(name=name, state="note", says=says, help=help, exit_code=0)


def _bad(name: str, says: str, help: str | None, *, exit_code: int = 7) -> Check:
    return Check(name=name, state="bad", says=says, help=help, exit_code=exit_code)


# The machine.


def look_over_machine(
    configuration: Configuration, *, place: Path, state_folder: Path, environ: Mapping[str, str], now: datetime
) -> Iterator[Check]:
    """Versions, disk, keys and limits; no network."""
    import PIL

    yield _good(
        "versions",
        f"flux2batch {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},"
        f" Pillow {PIL.__version__}",
    )
    yield _disk(place)
    yield _writes("state folder", state_folder)
    yield from _keys(environ)
    yield _spending(configuration, state_folder, now)
    ignored = [name for name in _PROXIES if environ.get(name)]
    if ignored:
        yield _note(
            "proxy",
            f"{', '.join(ignored)} is set in the environment, and not used",
            help="where a service is reached through a proxy, name it in config.toml: [service.bfl] proxy",
        )


def _disk(place: Path) -> Check:
    free = shutil.disk_usage(place).free
    says = f"{free / 1e9:,.1f} GB free"
    if free < _TOO_LITTLE_BYTES:
        return _bad("disk", says, "make room: a picture is about 2 MB")
    return _note("disk", says, "a picture is about 2 MB") if free < _LITTLE_BYTES else _good("disk", says)


def _writes(name: str, folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe(folder)
    except OSError as error:
        return _bad(name, f"{folder} cannot be written: {(error.strerror or str(error)).lower()}", None)
    return _good(name, f"{folder} can be written, flushed and renamed in")


def _keys(environ: Mapping[str, str]) -> Iterator[Check]:
    keys, _ = find_keys(environ, [Path.cwd()])
    for provider, name in KEY_NAMES.items():
        fault = key_fault(provider, keys.get(provider))
        if fault is None:
            yield _good(name, f"{keys[provider].secret}, from {keys[provider].origin}")
        elif provider not in keys:
            yield _note(name, "not set", fault.help)
        else:
            yield _bad(name, fault.message, fault.help, exit_code=6)


def _spending(configuration: Configuration, state_folder: Path, now: datetime) -> Check:
    limit = configuration.limits.per_day_usd
    try:
        spent = spent_today(state_folder / "spend.db", now=now)
    except sqlite3.Error as error:
        return _bad("today", f"{state_folder / 'spend.db'} cannot be read: {error}", None)
    if limit is None:
        return _good("today", "no daily limit is set, so the day's spending is not kept")
    says = f"{show(spent)} of {show(limit)} spent or reserved (UTC day)"
    return _note("today", says) if spent >= limit else _good("today", says)


# The services.


def look_over_services(configuration: Configuration, *, environ: Mapping[str, str], now: datetime) -> Iterator[Check]:
    """Whether the hosts are reached, the keys accepted and the clock right. Nothing is asked that could cost."""
    keys, _ = find_keys(environ, [Path.cwd()])
    for name, service in configuration.services.items():
        host = urlsplit(service.base_url).netloc
        yield from _reach(name, host, service.base_url, service.proxy, now)
        key = keys.get(name)
        if key is None or key_fault(name, key) is not None:
            continue
        provider = make(name, configuration, key=key.secret)
        try:
            yield _asked(provider, name)
        finally:
            provider.close()


def _reach(name: str, host: str, base_url: str, proxy: str | None, now: datetime) -> Iterator[Check]:
    # A base on this machine is reached without a proxy.
    pool = Pool(proxy=None if is_loopback(base_url) else proxy, timeouts=Timeouts(connect=10.0, total=20.0))
    try:
        answer = pool.get(base_url, headers={})
    finally:
        pool.close()
    if not isinstance(answer, HttpResponse):
        yield _bad(f"{name} host", f"{host} is not reached: {answer.reason}", "look at the network, or a proxy")
        return
    yield _good(f"{name} host", f"{host} answers")
    with suppress(ValueError, TypeError):
        told = parsedate_to_datetime(answer.headers.get("date", ""))
        skew = (now - told).total_seconds()
        if abs(skew) > _SKEW_S:
            ahead = "ahead of" if skew > 0 else "behind"
            yield _note("clock", f"this machine is {abs(skew):,.0f} s {ahead} {host}", "set the clock")
        else:
            yield _good("clock", f"agrees with {host}")


@runtime_checkable
class _JudgesKey(Protocol):
    """A provider that can tell a refused key by other means than a poll."""

    def key_refused(self) -> str | None: ...


def _asked(provider: Provider, name: str) -> Check:
    """The balance where the service tells it; else it is asked for a task that does not exist."""
    balance = provider.balance()
    if balance is not None:
        says = f"accepted; {show(balance)} on the account"
        return _good(f"{name} key", says) if balance > ZERO else _note(f"{name} key", says, "add credits")
    refused = provider.key_refused() if isinstance(provider, _JudgesKey) else None
    if refused is not None:
        return _bad(f"{name} key", f"refused: {refused}", "look at the key", exit_code=6)
    model, endpoint = {"bfl": ("bfl/flux-2-pro", "/v1/flux-2-pro")}.get(name, ("fal/flux-2", "/fal-ai/flux-2"))
    ticket = ticket_for(name, _NO_TASK, model=model, endpoint=endpoint, origin=provider.origin, poll_url=None)
    answer = provider.poll(ticket)
    match answer:
        case AccountRefused(reason=reason):
            return _bad(f"{name} key", f"refused: {reason}", "look at the key", exit_code=6)
        case PollFailed(status=401 | 402 | 403, reason=reason):
            return _bad(f"{name} key", f"refused: {reason}", "look at the key", exit_code=6)
        case PollFailed(status=None, reason=reason):
            return _bad(f"{name} key", f"not asked: {reason}", None)
        case _:
            return _note(f"{name} key", "not refused; the service does not tell this key the balance")


# A run directory.


def look_over_directory(root: Path, *, memory: Memory) -> Iterator[Check]:
    """Whether its journal is whole and its own, who drives it, and what is open or odd in it. Changes nothing."""
    driver = driver_of(root / INNER)
    yield _note("lock", f"driven by {driver}") if driver else _good("lock", "nobody drives it")
    if driver is None:
        yield _writes("folder", root / INNER)
    try:
        with look_into(root) as directory:
            if not is_whole(root):
                raise JournalDamaged("an event cannot be read, or cannot have happened")
            yield _good("journal", f"whole, {directory.journal.last_seq:,} events")
            yield _memory(directory, memory)
            yield from _contents(directory)
    except JournalDamaged as error:
        yield _bad("journal", str(error), f"flux2batch doctor {root} --recover")
    except MachineError as error:
        yield _bad("journal", str(error), None)


def _memory(directory: RunDirectory, memory: Memory) -> Check:
    try:
        memory.recognise(directory.journal, directory.root)
    except MachineError as error:
        return _bad("history", str(error), None)
    return _good("history", "as this machine remembers it")


def _contents(directory: RunDirectory) -> Iterator[Check]:
    seen = overview(directory)
    counts = seen.counts
    yield _good("shots", f"{counts.done:,} done, {counts.planned:,} planned, {counts.in_flight:,} in flight")
    if seen.unknowns:
        at_risk = Money(sum((life.at_risk for _, life in seen.unknowns), start=ZERO))
        says = f"{len(seen.unknowns):,} shots may have been paid for, up to {show(at_risk)}"
        yield _note("unknown", says, f"flux2batch resolve {seen.root}")
    if seen.missing:
        yield _note("pictures", f"{seen.missing:,} are no longer there", f"flux2batch retry {seen.root} --missing")
    yield _drift(directory)


def _drift(directory: RunDirectory) -> Check:
    """What the services charged beside what was expected of the same takes."""
    said = [
        line
        for line in ledger.lines(directory.journal.entries_by_shot())
        if line.charged_usd is not None and line.charge_source in ("cost", "billable-units")
    ]
    off = [line for line in said if not line.estimate_usd <= (line.charged_usd or ZERO) <= line.reserved_usd]
    if not said:
        return _good("prices", "no service has named a charge yet")
    if not off:
        return _good("prices", f"{len(said):,} charges are as estimated")
    charged = sum((line.charged_usd or ZERO for line in off), start=ZERO)
    expected = sum((line.reserved_usd for line in off), start=ZERO)
    return _note(
        "prices",
        f"{len(off):,} of {len(said):,} charges are not as estimated: {show(charged)} for at most {show(expected)}",
        "the catalogue's price is out of date: set [prices] in config.toml",
    )


def worst(checks: list[Check]) -> int:
    """The exit code that the checks come to."""
    return max((check.exit_code for check in checks if check.state == "bad"), default=0)
