"""The daily limit holds between processes that know nothing of each other."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from flux2batch.engine.purse import DailyPurse, FreePurse, spent_today
from flux2batch.errors import MachineError
from flux2batch.money import usd
from flux2batch.planning.shot import ShotId

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)

RACER = """
import sys
from datetime import datetime
from pathlib import Path
from flux2batch.engine.purse import DailyPurse
from flux2batch.money import usd
file, name, now = Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3])
purse = DailyPurse(file, run_directory=name, per_day_usd=usd("1.00"), now=now)
real = purse._write
def slowly(shot, amount):  # the moment in which another could look is made long enough to be met
    import time
    time.sleep(0.01)  # a window and no wait: no outcome hangs on its length
    real(shot, amount)
purse._write = slowly
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
print(sum(purse.reserve(f"{name}{n}", usd("0.05")) is None for n in range(20)))
"""


def purse(file: Path, name: str = "r", *, limit: str = "1.00", now: datetime = NOW) -> DailyPurse:
    return DailyPurse(file, run_directory=name, per_day_usd=usd(limit), now=now)


def test_runs_at_once_never_pass_the_daily_limit_and_use_all_of_it(tmp_path: Path):
    file = tmp_path / "spend.db"
    with closing(purse(file)):
        pass
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(file), name, NOW.isoformat()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "abc"
    ]
    for racer in racers:
        assert racer.stdout is not None
        racer.stdout.readline()
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    reserved = [int(racer.communicate(timeout=60)[0]) for racer in racers]

    assert sum(reserved) == 20, reserved
    assert spent_today(file, now=NOW) == usd("1.00")


def test_what_a_shot_did_not_cost_is_there_for_the_next(tmp_path: Path):
    with closing(purse(tmp_path / "spend.db", limit="0.10")) as one:
        assert one.reserve(ShotId("a"), usd("0.10")) is None
        over = one.reserve(ShotId("b"), usd("0.05"))
        assert over is not None
        assert (over.limit, over.committed_usd) == ("today's limit", usd("0.10"))

        one.settle(ShotId("a"), usd("0.05"))

        assert one.reserve(ShotId("b"), usd("0.05")) is None


def test_another_day_has_its_own_limit(tmp_path: Path):
    with closing(purse(tmp_path / "spend.db", limit="0.05")) as one:
        assert one.reserve(ShotId("a"), usd("0.05")) is None
    with closing(purse(tmp_path / "spend.db", limit="0.05", now=NOW + timedelta(days=1))) as next_day:
        assert next_day.reserve(ShotId("b"), usd("0.05")) is None


def test_a_limit_is_used_to_the_last_cent(tmp_path: Path):
    with closing(purse(tmp_path / "spend.db", limit="0.10")) as one:
        assert one.reserve(ShotId("a"), usd("0.04")) is None
        assert one.reserve(ShotId("b"), usd("0.06")) is None
        over = one.reserve(ShotId("c"), usd("0.000001"))

    assert over is not None
    assert (over.limit_usd, over.committed_usd, over.needed_usd) == (usd("0.10"), usd("0.10"), usd("0.000001"))


def test_a_refusal_leases_nothing_and_the_purse_goes_on(tmp_path: Path):
    file = tmp_path / "spend.db"
    with closing(purse(file, limit="0.10")) as one:
        assert one.reserve(ShotId("a"), usd("0.100001")) is not None
        assert spent_today(file, now=NOW) == usd("0")

        assert one.reserve(ShotId("a"), usd("0.10")) is None


def test_a_second_take_of_a_shot_is_leased_beside_the_first_also_by_the_next_process(tmp_path: Path):
    file = tmp_path / "spend.db"
    with closing(purse(file)) as one:
        one.reserve(ShotId("a"), usd("0.05"))
        one.reserve(ShotId("a"), usd("0.05"))
        assert spent_today(file, now=NOW) == usd("0.10")

    with closing(purse(file)) as after_a_death:
        after_a_death.reserve(ShotId("a"), usd("0.05"))
    assert spent_today(file, now=NOW) == usd("0.15")


def test_what_a_shot_really_cost_is_kept_to_the_millionth(tmp_path: Path):
    file = tmp_path / "spend.db"
    with closing(purse(file)) as one:
        one.reserve(ShotId("a"), usd("0.05"))
        one.settle(ShotId("a"), usd("0.012345"))
        one.settle(ShotId("a"), usd("0.012345"))
        one.settle(ShotId("b"), usd("0.5"))  # which this process never leased

    assert spent_today(file, now=NOW) == usd("0.012345")


def test_runs_of_one_day_share_its_limit_and_each_settles_its_own(tmp_path: Path):
    file = tmp_path / "spend.db"
    with closing(purse(file, "r", limit="0.10")) as mine, closing(purse(file, "other", limit="0.10")) as theirs:
        assert mine.reserve(ShotId("a"), usd("0.06")) is None
        over = theirs.reserve(ShotId("a"), usd("0.05"))
        assert over is not None
        assert over.committed_usd == usd("0.06")

        theirs.settle(ShotId("a"), usd("0"))
        assert theirs.reserve(ShotId("a"), usd("0.05")) is not None
        mine.settle(ShotId("a"), usd("0.05"))
        assert theirs.reserve(ShotId("a"), usd("0.05")) is None


def test_the_day_is_the_one_in_utc(tmp_path: Path):
    late = datetime(2026, 11, 1, 23, 30, tzinfo=timezone(timedelta(hours=-2)))  # the 2nd in UTC
    file = tmp_path / "spend.db"
    with closing(purse(file, limit="0.05", now=late)) as one:
        one.reserve(ShotId("a"), usd("0.05"))

    assert spent_today(file, now=late) == usd("0.05")
    assert spent_today(file, now=NOW) == usd("0")
    assert spent_today(file, now=NOW + timedelta(days=1)) == usd("0.05")


def test_where_nothing_was_ever_spent_today_is_nothing(tmp_path: Path):
    assert spent_today(tmp_path / "spend.db", now=NOW) == usd("0")
    with closing(purse(tmp_path / "deeper" / "still" / "spend.db")) as one:
        assert one.reserve(ShotId("a"), usd("1.00")) is None


def test_a_lease_waits_for_the_disk_like_the_journal(tmp_path: Path):
    with closing(purse(tmp_path / "spend.db")) as one:
        asked = [one._database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]

    assert asked == [2, "wal"]  # 2 is FULL


@pytest.mark.parametrize("what", ["opened", "reserved in", "settled in"])
def test_a_purse_that_cannot_be_kept_says_so_and_lets_nothing_through(tmp_path: Path, what: str):
    file = tmp_path / "spend.db"
    if what == "opened":
        file.write_text("this is no database, whatever its name says")
        with pytest.raises(MachineError, match="cannot be opened"):
            purse(file)
        return
    with closing(purse(file)) as one:
        one.reserve(ShotId("a"), usd("0.05"))
        one._database.execute("DROP TABLE leases")
        keep = one.reserve if what == "reserved in" else one.settle
        with pytest.raises(MachineError, match="cannot be kept"):
            keep(ShotId("a"), usd("0.01"))


def test_a_purse_without_a_limit_lets_everything_through():
    free = FreePurse()
    free.settle(ShotId("a"), usd("5"))
    free.close()

    assert free.reserve(ShotId("a"), usd("1000000")) is None


def test_the_next_process_settles_what_a_dead_one_leased(tmp_path: Path):
    file = tmp_path / "spend.db"
    with closing(purse(file)) as dead:
        for shot in ("done", "free", "never intended", "in flight"):
            dead.reserve(ShotId(shot), usd("0.05"))
    committed = {"done": usd("0.03"), "in flight": usd("0.05")}

    with closing(purse(file)) as after, closing(purse(file, "other")) as other:
        after.settle_up(lambda shot: committed.get(shot, usd(0)))
        other.settle_up(lambda _: usd(0))

    assert spent_today(file, now=NOW) == usd("0.08")


def test_what_a_resumed_shot_cost_is_settled_by_the_process_that_heard_of_it(tmp_path: Path):
    file = tmp_path / "spend.db"
    with closing(purse(file)) as dead:
        dead.reserve(ShotId("a"), usd("0.05"))

    with closing(purse(file)) as after:
        after.settle(ShotId("a"), usd("0.02"))

    assert spent_today(file, now=NOW) == usd("0.02")


def test_what_was_spent_on_an_earlier_day_is_not_spent_again_today(tmp_path: Path):
    file, tomorrow = tmp_path / "spend.db", NOW + timedelta(days=1)
    with closing(purse(file)) as first:
        first.reserve(ShotId("a"), usd("0.05"))
        first.settle(ShotId("a"), usd("0.05"))

    with closing(purse(file, now=tomorrow)) as again:
        again.reserve(ShotId("a"), usd("0.05"))
        again.settle(ShotId("a"), usd("0.09"))  # of both takes

    assert spent_today(file, now=NOW) == usd("0.05")
    assert spent_today(file, now=tomorrow) == usd("0.04")


@pytest.mark.skipif(os.name == "nt", reason="rights are kept in another way there")
def test_what_was_spent_is_nobody_elses_to_read(tmp_path: Path):
    before = os.umask(0o022)
    try:
        with closing(purse(tmp_path / "state" / "spend.db")):
            rights = {path.name: path.stat().st_mode & 0o077 for path in (tmp_path / "state").iterdir()}
    finally:
        os.umask(before)

    assert "spend.db" in rights
    assert set(rights.values()) == {0}
