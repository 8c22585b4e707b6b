"""One battery of checks: against the emulator always, against the real services when somebody with a key asks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import battery
import pytest
from jsonschema import ValidationError
from service import LIMIT_USD, Purse, Service, TooDear

from flux2batch.emulator.server import Emulator

KEYS = {"bfl": "BFL_API_KEY", "fal": "FAL_KEY"}
# Read here and not in a test: the guards around each test forget all keys.
ASKED = [name.strip() for name in os.environ.get("FLUX2BATCH_ONLINE", "").split(",") if name.strip()]
REAL_KEYS = {name: os.environ.get(variable, "") for name, variable in KEYS.items()}


def emulated(emulator: Emulator, name: str, *, purse: Purse | None = None) -> Service:
    base_url, key, model = {
        "bfl": (emulator.bfl_base_url, emulator.bfl_api_key, "bfl/flux-2-klein-4b"),
        "fal": (emulator.fal_base_url, emulator.fal_key, "fal/flux-2-flash"),
    }[name]
    return Service(
        name=name,
        base_url=base_url,
        platform_url=base_url,
        key=key,
        model=model,
        purse=purse or Purse(),
        patience_s=10,
        pause_s=0.02,
    )


@pytest.mark.parametrize(("name", "check"), [(name, check) for name in KEYS for check in battery.CHECKS[name]])
def test_the_emulator_answers_as_the_service_does(name: str, check: Callable[[Service], None]):
    # Half a second, so that a poll finds the picture on its way and not only ready.
    with Emulator(latency="0.3") as emulator:
        service = emulated(emulator, name)

        check(service)

        assert emulator.books.charged_by(name) <= service.purse.spent_usd


@pytest.mark.parametrize("name", KEYS)
def test_the_whole_battery_stays_below_a_dollar_even_if_every_refusal_were_a_picture(name: str):
    with Emulator() as emulator:
        service = emulated(emulator, name)

        assert battery.run(service) == []
        assert emulator.books.charged_by(name) <= service.purse.spent_usd < LIMIT_USD == Decimal("1.00")


@pytest.mark.parametrize("name", KEYS)
def test_the_battery_asks_for_nothing_that_it_may_not_pay_for(name: str):
    with Emulator() as emulator:
        purse = Purse(limit_usd=Decimal("0.015"))
        service = emulated(emulator, name, purse=purse)
        body, price = {
            "bfl": (battery.BFL_BOAT, Decimal("0.014")),
            "fal": (battery.FAL_BOAT, Decimal("0.005")),
        }[name]

        for _ in range(int(purse.limit_usd / price)):
            service.submit(body)
        with pytest.raises(TooDear, match="at most"):
            service.submit(body)

        assert purse.spent_usd <= purse.limit_usd
        assert emulator.books.counts()["tasks"] == purse.limit_usd // price


@pytest.mark.parametrize(("name", "fault", "says"), [
    ("bfl", "missing-id", "bfl_picture"),
    ("bfl", "no-sample", "bfl_picture"),
    ("bfl", "wrong-size", "bfl_picture"),
    ("bfl", "500", "bfl_refusals_on_every_path"),
    ("fal", "units", "fal_picture"),
    ("fal", "wrong-size", "fal_picture"),
])  # fmt: skip
def test_the_battery_notices(name: str, fault: str, says: str):
    with Emulator(faults=[fault]) as emulator:
        check = next(check for check in battery.CHECKS[name] if check.__name__ == says)

        with pytest.raises((AssertionError, KeyError, ValidationError)):
            check(emulated(emulator, name))


@pytest.mark.parametrize("name", KEYS)
def test_by_hand_it_needs_no_more_than_a_key(name: str):
    with Emulator() as emulator:
        service = emulated(emulator, name)

        ran = _by_hand(name, service.key, service.base_url)

        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.startswith(f"{len(battery.CHECKS[name])} checks, $0.")
        assert service.key not in ran.stdout


@pytest.mark.parametrize("name", KEYS)
def test_the_real_service_answers_so(name: str):
    if name not in ASKED:
        pytest.skip(f"spends some cents: FLUX2BATCH_ONLINE={name} and {KEYS[name]} in the environment run it")
    if not REAL_KEYS[name]:
        pytest.fail(f"FLUX2BATCH_ONLINE asks for {name}, and {KEYS[name]} is not set")

    # In a process of its own: the guards around the tests let nobody out.
    ran = _by_hand(name, REAL_KEYS[name])

    assert ran.returncode == 0, ran.stdout + ran.stderr[-2000:]


def _by_hand(name: str, key: str, *elsewhere: str) -> subprocess.CompletedProcess[str]:
    script = Path(battery.__file__)
    environ = {**os.environ, KEYS[name]: key}
    return subprocess.run(
        [sys.executable, script, name, *elsewhere],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
