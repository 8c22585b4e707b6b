"""The daily limit holds between processes that know nothing of each other."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flux2batch.engine.purse import DailyPurse, spent_today
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
    time.sleep(0.01)
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
