"""Values that a service may answer and nobody expects: each was found by fuzzing, and each once ended in a traceback or
in a journal that could not be read again."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from flux2batch.engine import records
from flux2batch.engine.events import Accepted, PollFailed, Rendered, StillWorking, Unanswered
from flux2batch.money import amount_in, usd
from flux2batch.providers import bfl, fal
from flux2batch.providers.contract import Prepared
from flux2batch.providers.transport import HttpResponse

PREPARED = Prepared(model="bfl/flux-2-pro", path="/v1/flux-2-pro", body=b"{}", shot_id="0" * 32)
COMPLETED = fal.Completed(error=None, error_type=None, inference_s=None)


def answer(body: object, *, status: int = 200, **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(status=status, headers=named, body=json.dumps(body).encode())


@pytest.mark.parametrize("odd", [True, False, 7.5, "7", None, [7], 2**70])
def test_a_seed_that_is_no_number_does_not_spoil_the_journal(odd: object):
    """`true` was taken for a number and written down, and the journal with it could not be read again."""
    polled = bfl.read_polled(answer({"status": "Ready", "result": {"sample": "https://d.bfl.ai/x.png", "seed": odd}}))
    image = {"url": "https://v3.fal.media/x.png", "width": odd, "height": odd}
    result = fal.read_result(answer({"images": [image], "seed": odd}), COMPLETED, unit_usd=None)
    status = fal.read_status(answer({"status": "IN_QUEUE", "queue_position": odd}))

    for outcome in (polled, result, status):
        assert isinstance(outcome, Rendered | StillWorking | PollFailed)
        assert records.decode(*records.encode(outcome)) == outcome


@pytest.mark.parametrize("written", ["1e30", "1e400", "10000000001", "-1", "nan", "inf", "x"])
def test_an_absurd_number_of_units_is_no_charge(written: str):
    outcome = fal.read_result(
        answer({"images": [{"url": "https://v3.fal.media/x.png"}]}, x_fal_billable_units=written),
        COMPLETED,
        unit_usd=usd("0.03"),
    )

    assert isinstance(outcome, Rendered)
    assert outcome.charge is None


def test_the_greatest_amount_that_is_believed_can_be_reckoned_with():
    assert amount_in(10**9) == Decimal(10**9)
    assert usd(Decimal(10**9) * Decimal(10**9)) == Decimal(10**18)
    assert amount_in(10**9 + 1) is None

    taken = answer({"id": "x", "polling_url": "https://api.bfl.ai/", "cost": 1e300})
    submitted = bfl.read_submitted(taken, PREPARED, origin="https://api.bfl.ai")
    assert isinstance(submitted, Accepted)
    assert submitted.charge is None


@pytest.mark.parametrize("location", ["http://[", "//[::1", "", "http://\x00"])
def test_a_submit_that_points_to_no_place_is_unknown_and_no_bug(location: str):
    for read in (bfl.read_submitted, fal.read_submitted):
        outcome = read(answer({}, status=302, location=location), PREPARED, origin="https://api.bfl.ai")

        assert isinstance(outcome, Unanswered)
