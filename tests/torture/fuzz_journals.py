"""Journals made bad: bytes flipped, pages swapped, rows edited; then read and driven by the commands."""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mangle import mangled
from recorded_runs import grid, run_directory

import flux2batch
from flux2batch.__main__ import main
from flux2batch.emulator.server import Emulator
from flux2batch.engine.journal import Journal, Standing
from flux2batch.errors import FluxError

_ENDS = (
    "done",
    "done",
    "planned",
    "intent",
    "sending",
    "accepted",
    "unknown",
    "rejected",
    "moderated",
    "failed",
    "lost",
    "stalled",
)
_SEEN = (("status",), ("status", "--json"), ("ledger",), ("ledger", "--json"))
_COMMANDS = (*_SEEN, *_SEEN, *_SEEN, ("sheet",), ("doctor",), ("resolve",))
_DRIVEN = 40  # one of so many is driven by `run`
_EXITS = range(8)  # 8 is a bug
_JOB = "flux2batch: 1\nname: driven\nprompt: a boat\nparams: {size: 64x64}\nsweep: {seed: 1..3}\n"
_SQL = (
    "UPDATE events SET payload = ? WHERE seq = {n}",
    "UPDATE events SET kind = ? WHERE seq = {n}",
    "UPDATE events SET at = ? WHERE seq = {n}",
    "UPDATE events SET shot = ? WHERE seq = {n}",
    "UPDATE events SET shot = NULL WHERE seq = {n}",
    "UPDATE events SET seq = seq + 1000000 WHERE seq = {n}",
    "UPDATE snapshot SET life = ?",
    "UPDATE snapshot SET phase = ?",
    "UPDATE snapshot SET charged_usd = ?",
    "UPDATE snapshot SET paths = ?",
    "UPDATE meta SET value = ? WHERE key = 'snapshot'",
    "UPDATE meta SET value = ?",
    "INSERT INTO events (at, shot, kind, payload) VALUES ('2026-11-01T00:00:00+00:00', ?, 'Withdrawn', '{{}}')",
    "INSERT INTO meta VALUES (?, 'x')",
    "DELETE FROM events WHERE seq = {n}",
    "DELETE FROM events WHERE seq > {n}",
    "DELETE FROM snapshot WHERE rowid = ?",
    "DELETE FROM meta",
    "DROP VIEW takes",
    "CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM events; END",
    "CREATE TABLE t (x)",
    "PRAGMA user_version = {n}",
    "PRAGMA application_id = {n}",
    "PRAGMA encoding = 'UTF-16'; VACUUM",
    "PRAGMA page_size = 512; VACUUM",
    "PRAGMA journal_mode = DELETE",
)
_WORDS = (
    "",
    "0",
    "-1",
    "x",
    "9" * 40,
    "1e999",
    "NaN",
    "null",
    "[]",
    "{}",
    "[" * 2000,
    '{"a": 1}',
    "\x1b[31m",
    "\u202e",
    "Saved",
    "done",
)
_WORDS += (
    "2026-13-45",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-11-01T00:00:00",
    "../../x.png",
    "a\nb",
)


@dataclass(frozen=True)
class Template:
    """A run directory as it was, to be made bad again and again."""

    root: Path
    files: Mapping[str, bytes]  # the journal and what SQLite keeps beside it
    events: object  # what it says, read beside our own code
    job: Path | None = None


@cache
def _templates() -> list[Template]:
    home = Path(tempfile.mkdtemp(prefix="journals-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ |= {
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CONFIG_HOME": str(home),
        "NO_COLOR": "1",
    }
    for name in [name for name in os.environ if name.startswith(("BFL_", "FAL_", "FLUX2BATCH_"))]:
        del os.environ[name]
    shots = grid(light=["dawn", "noon", "dusk"], guidance=["2", "3", "4", "5"])
    for shot, ends in zip(shots, _ENDS, strict=True):
        shot.ends = ends
    closed = run_directory(home / "study", shots)
    unfinished = run_directory(home / "cut off", shots, ended=False)
    with closing(Journal.open(unfinished / ".flux2batch" / "journal.db", driving=True)) as journal:
        journal.set_meta("note", "this stands in the log alone")
        cut_off = _files(unfinished)
    return [_template(closed, _files(closed)), _template(unfinished, cut_off), _driven(home)]


def _template(root: Path, files: Mapping[str, bytes], job: Path | None = None) -> Template:
    return Template(root, files, _events(root / ".flux2batch" / "journal.db"), job)


def _events(path: Path) -> object:
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            database.text_factory = bytes
            return database.execute("SELECT seq, at, shot, kind, payload FROM events ORDER BY seq").fetchall()
    except (sqlite3.Error, UnicodeDecodeError):
        return None


def _driven(home: Path) -> Template:
    """A finished run of a job of three shots, which another run of the same job finds."""
    folder = home / "driven"
    folder.mkdir()
    (folder / "job.yaml").write_text(_JOB, encoding="utf-8")
    emulator = Emulator(latency="0")
    emulator.start()
    atexit.register(emulator.stop)
    os.environ |= {"BFL_BASE_URL": emulator.bfl_base_url, "BFL_API_KEY": emulator.bfl_api_key}
    report = flux2batch.run(flux2batch.plan(flux2batch.load(folder / "job.yaml")))
    assert report.counts.done == 3
    return _template(report.root, _files(report.root), folder / "job.yaml")


def _files(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / ".flux2batch").glob("journal.db*")}


def judge(seed: int, number: int) -> str:
    """The exit code of the command that met it. With the snapshot and without, the same is known or nothing is."""
    chance = random.Random(f"{seed}/{number}")
    driven = number % _DRIVEN == 0
    template = _templates()[2] if driven else chance.choice(_templates())
    made = _made_bad(template, chance)
    inner = template.root / ".flux2batch"
    for leftover in inner.glob("journal.db*"):
        leftover.unlink()
    for name, content in made.items():
        (inner / name).write_bytes(content)
    _judge_snapshot(inner / "journal.db", template)
    if driven:
        assert template.job is not None
        shutil.rmtree(
            Path(os.environ["XDG_STATE_HOME"]) / "flux2batch", ignore_errors=True
        )  # it remembers the one before
        command = ["run", str(template.job), "--yes", "-q"]
    else:
        command = [*chance.choice(_COMMANDS), str(template.root)]
    code, said = _said(command)
    assert code in _EXITS, f"{command}: exit {code}\n{said}"
    assert "Traceback" not in said, said
    assert code == 0 or said.strip(), f"{command}: exit {code}, and not a word"
    assert "\x1b" not in said, f"{command}: an escape reached the terminal"
    return f"{command[0]} {code}"


def _said(command: list[str]) -> tuple[int, str]:
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        code = main(command)
    return code, out.getvalue() + error.getvalue()


def _made_bad(template: Template, chance: random.Random) -> Mapping[str, bytes]:
    files = dict(template.files)
    if chance.random() < 0.35:
        return _changed_by_sql(files, chance)
    name = chance.choice([name for name in files if not name.endswith("-shm")])
    others = [one.files["journal.db"] for one in _templates()]
    match chance.randrange(4):
        case 0:
            files[name] = mangled(files[name], chance, others)
        case 1:
            files[name] = _within_pages(files[name], chance)
        case 2:
            files[name] = _within_text(files[name], chance)
        case _:
            files[name] = _pages(files[name], chance)
    if chance.random() < 0.1 and len(files) > 1:
        del files[chance.choice([one for one in files if one != "journal.db"])]
    return files


def _within_pages(raw: bytes, chance: random.Random) -> bytes:
    """A few bytes in the head or at the start of a page, where SQLite keeps its own accounts."""
    changed = bytearray(raw)
    for _ in range(chance.choice((1, 1, 2, 4))):
        page = chance.randrange(max(1, len(raw) // 4096)) * 4096
        at = page + chance.randrange(100 if chance.random() < 0.5 else 16)
        if at < len(changed):
            changed[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return bytes(changed)


def _within_text(raw: bytes, chance: random.Random) -> bytes:
    """A character of a payload for another: SQLite notices nothing."""
    changed = bytearray(raw)
    places = [place for place in (raw.find(b'{"', chance.randrange(len(raw) + 1)) for _ in range(3)) if place >= 0]
    for place in places:
        at = min(len(raw) - 1, place + chance.randrange(400))
        changed[at] = chance.choice(b"0123456789abcdef\"'{}[]:,.-+eE nulltrue\\\x00\xff\x1b")
    return bytes(changed)


def _pages(raw: bytes, chance: random.Random) -> bytes:
    pages = [raw[at : at + 4096] for at in range(0, len(raw), 4096)]
    one, two = chance.randrange(len(pages)), chance.randrange(len(pages))
    match chance.randrange(4):
        case 0:
            pages[one], pages[two] = pages[two], pages[one]
        case 1:
            pages[one] = pages[two]
        case 2:
            pages[one] = bytes(len(pages[one]))
        case _:
            del pages[one:]
    return b"".join(pages)


def _changed_by_sql(files: Mapping[str, bytes], chance: random.Random) -> dict[str, bytes]:
    """Somebody edited it with a tool of their own."""
    with tempfile.TemporaryDirectory(prefix="edited-") as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        with closing(sqlite3.connect(folder / "journal.db", isolation_level=None)) as database:
            for _ in range(chance.choice((1, 1, 2))):
                sql = chance.choice(_SQL).format(n=chance.randrange(70))
                with contextlib.suppress(sqlite3.Error):
                    for statement in sql.split("; ") if "PRAGMA" in sql else [sql]:
                        database.execute(statement, (_word(database, chance),) if "?" in sql else ())
        return {path.name: path.read_bytes() for path in folder.glob("journal.db*")}


def _word(database: sqlite3.Connection, chance: random.Random) -> str:
    """What is put in: nonsense, or a payload that stood there with a little changed."""
    if chance.random() < 0.4:
        return chance.choice(_WORDS)
    row = database.execute(
        "SELECT payload FROM events ORDER BY seq LIMIT 1 OFFSET ?", (chance.randrange(50),)
    ).fetchone()
    if row is None:
        return "{}"
    try:
        value = json.loads(row[0])
        name = chance.choice(sorted(value))
        value[name] = chance.choice((None, True, -1, "x", [], {}, 1e308, "9" * 30, {"usd": "NaN"}, [["a"]]))
        return json.dumps(value)
    except (ValueError, TypeError, IndexError):
        return mangled(str(row[0]).encode(), chance, ()).decode("utf-8", "replace")


def _judge_snapshot(path: Path, template: Template) -> None:
    """Where the events are what they were, the snapshot makes no difference, whatever was done to it."""
    if _events(path) != template.events:
        return
    known = [_standing(path, with_snapshot=switch) for switch in (True, False)]
    assert known[0] == known[1], "the snapshot tells another story than the events"


def _standing(path: Path, *, with_snapshot: bool) -> Standing | None:
    try:
        with closing(Journal.open(path, driving=False)) as journal:
            return journal.standing(with_snapshot=with_snapshot)
    except FluxError:
        return None


def cases(seed: int, count: int) -> Iterator[str]:
    """Judge so many."""
    return (judge(seed, number) for number in range(count))
