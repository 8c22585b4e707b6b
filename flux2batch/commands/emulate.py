"""`flux2batch emulate`: the emulator as a server, for any client of BFL or fal, at no cost."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flux2batch.commands.command import as_command
from flux2batch.errors import UsageError

if TYPE_CHECKING:
    import ssl

    from flux2batch.emulator.server import Emulator


@as_command(
    "emulate",
    summary="Run the emulator as a server.",
    examples=[
        ("flux2batch emulate", "On free ports; base URLs and keys are printed"),
        ("flux2batch emulate --port 8080 --latency 4±1 --books emulator.db", "Slower, and the same after a restart"),
        ("flux2batch emulate --fault 429:0.1 --fault drop-after-accept:0.02", "Things go wrong"),
    ],
)
@click.option(
    "--port", type=click.IntRange(0, 65530), default=0, help="BFL's port; fal and the others take the five after it."
)
@click.option(
    "--books", type=click.Path(dir_okay=False, path_type=Path), help="Keep the books in this file, and know them again."
)
@click.option(
    "--latency",
    default="1±0.3",
    show_default=True,
    metavar="SECONDS",
    help="How long a picture takes: 4, 4±1, or by model: 4±1,flux-2-max=9±2.",
)
@click.option("--speed", type=float, default=1.0, help="Divide every latency by this.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="FAULT",
    help="What goes wrong and how often, as in 429:0.1; repeatable.",
)
@click.option("--seed", type=int, default=0, help="The seed of all chance.")
@click.option("--balance", type=float, default=1000.0, metavar="USD", help="What is on each account at the start.")
@click.option(
    "--active-limit",
    type=click.IntRange(0),
    default=24,
    help="BFL's tasks in flight; 0 is no limit.",
    show_default=True,
)
@click.option(
    "--concurrency", type=click.IntRange(1), default=2, help="fal's requests that run at once.", show_default=True
)
@click.option("--one-port", is_flag=True, help="Everything behind one port, for a container or a strict client.")
@click.option(
    "--tls",
    nargs=2,
    type=click.Path(exists=True, dir_okay=False),
    metavar="CERT KEY",
    help="Speak https with these files.",
)
@click.option("--faults", "list_faults", is_flag=True, help="List every fault and stop.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON when it listens.")
def command(
    port: int,
    books: Path | None,
    latency: str,
    speed: float,
    faults: tuple[str, ...],
    seed: int,
    balance: float,
    active_limit: int,
    concurrency: int,
    one_port: bool,
    tls: tuple[str, str] | None,
    list_faults: bool,
    as_json: bool,
) -> None:
    """Stand in for BFL and fal on this machine: real HTTP, drawn pictures, no cost.

    It prints the base URLs and keys as lines for a shell, and listens until Ctrl-C. A prompt can ask for a fault as
    well: "a fox [emulate content-moderated]". `--faults` lists them all.
    """
    if list_faults:
        _list_faults(as_json=as_json)
        return

    from flux2batch.emulator.server import Emulator

    try:
        emulator = Emulator(
            port=port,
            books=books,
            faults=faults,
            latency=latency,
            speed=speed,
            seed=seed,
            balance_usd=balance,
            active_limit=active_limit or None,
            concurrency=concurrency,
            several_origins=not one_port,
            tls=None if tls is None else _tls(*tls),
        )
    except ValueError as error:
        raise UsageError(str(error)) from None

    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    with emulator:
        _announce(emulator, as_json=as_json)
        while not stop.wait(1.0):  # with a timeout, so that a signal is heard on every system
            pass
        if not as_json:
            _say_goodbye(emulator)


def _announce(emulator: Emulator, *, as_json: bool) -> None:
    if as_json:
        told = {
            "schema_version": 1,
            "bfl_base_url": emulator.bfl_base_url,
            "fal_base_url": emulator.fal_base_url,
            "bfl_api_key": emulator.bfl_api_key,
            "fal_key": emulator.fal_key,
        }
        click.echo(json.dumps(told))
        return
    click.echo(f"export BFL_BASE_URL={emulator.bfl_base_url}")
    click.echo(f"export BFL_API_KEY={emulator.bfl_api_key}")
    click.echo(f"export FAL_BASE_URL={emulator.fal_base_url}")
    click.echo(f"export FAL_KEY={emulator.fal_key}")
    click.echo(f"The books: {emulator.bfl_base_url}/_emulator/books. Ctrl-C stops.", err=True)


def _say_goodbye(emulator: Emulator) -> None:
    counts = emulator.books.counts()
    click.echo(
        f"\nStopped. {_many(counts['tasks'], 'task')}, {_many(counts['polls'], 'poll')},"
        f" {_many(counts['downloads'], 'download')}; ${emulator.books.charged:.2f} that nobody paid.",
        err=True,
    )


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _list_faults(*, as_json: bool) -> None:
    from flux2batch.emulator.faults import CODED, KINDS

    rows = [(name, usual, stage, about) for name, (stage, usual, about) in (*CODED.items(), *KINDS.items())]
    if as_json:
        click.echo(json.dumps([{"name": n, "argument": u, "when": str(s), "about": a} for n, u, s, a in rows]))
        return
    for name, usual, _, about in rows:
        click.echo(f"{name + (f'={usual}' if usual else ''):<38} {about}")


def _tls(certificate: str, key: str) -> ssl.SSLContext:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise UsageError(f"--tls: the certificate cannot be used ({error})") from None
    return context
