"""The ledger says what the journal says, to the last digit, and harms no spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flux2batch.engine.events import (
    Accepted,
    Charge,
    Frame,
    Intended,
    Missed,
    Rendered,
    Resubmitted,
    Retried,
    Saved,
    SendBegan,
    Ticket,
    Unanswered,
    Withdrawn,
)
from flux2batch.engine.journal import Entry
from flux2batch.money import usd
from flux2batch.planning.shot import ShotId
from flux2batch.reporting.csv_rows import COMMAS, SEMICOLONS, Cell, Number, csv_row, disarmed
from flux2batch.reporting.ledger import as_csv, json_line, lines, totals

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
A, B = ShotId("a" * 32), ShotId("b" * 32)
INTENDED = Intended(
    take=1,
    reserve=usd("0.05"),
    estimate=usd("0.045"),
    model="bfl/flux-2-pro",
    endpoint="/v1/flux-2-pro",
    prompt="=HYPERLINK(0)",
    params={"seed": 1},
    references=(),
    coordinates={"colour": ("blue", "Blue")},
    repeat=1,
    paths=("a.png",),
    frames=1,
    trim=None,
)
TICKET = Ticket(
    provider="bfl", model="bfl/flux-2-pro", endpoint="/v1", task_id="t1", poll_url="x", result_url=None, cancel_url=None
)
SAVED = Saved(
    frame=0,
    path="a.png",
    copies=(),
    sha256="0",
    size_bytes=1,
    width=8,
    height=9,
    media_type="image/png",
    original=None,
    remark=None,
)
FRAME = Frame(url="x", width=None, height=None, media_type=None, nsfw=False)


def taken(cost: str) -> tuple[object, ...]:
    charge = Charge(usd=usd(cost), source="cost", megapixels_in="0.0", megapixels_out="1.0")
    return (
        SendBegan(),
        Accepted(ticket=TICKET, charge=charge, evidence="answer"),
        Rendered(frames=(FRAME,), expires_at=None, seed=7, prompt="a boat", charge=None, details={}),
        SAVED,
    )


UNKNOWN = (SendBegan(), Unanswered(reason="silence", status=None, excerpt=None))


def story(shot: ShotId, *events: object) -> list[Entry]:
    return [Entry(seq=n, at=AT, shot=shot, event=event) for n, event in enumerate(events)]


def test_a_take_is_a_line():
    (line,) = lines(story(A, INTENDED, *taken("0.07000000000000001")))

    assert (line.status, line.take, line.charged_usd, line.estimate_usd) == ("done", 1, usd("0.07"), usd("0.045"))
    assert (line.seed, line.width, line.height, line.paths, line.task_id) == (7, 8, 9, "a.png", "t1")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((INTENDED,), [("intent", None)]),
        ((INTENDED, Withdrawn()), []),
        ((INTENDED, *UNKNOWN), [("unknown", None)]),
        (
            (
                INTENDED,
                *taken("0.03"),
                Missed(path="a.png"),
                Retried(by="me"),
                replace(INTENDED, take=2),
                *taken("0.04"),
            ),
            [("done", usd("0.03")), ("done", usd("0.04"))],
        ),
        (
            (INTENDED, *UNKNOWN, Resubmitted(by="me", number=1), replace(INTENDED, take=2), *taken("0.04")),
            [("unknown", None), ("done", usd("0.04"))],
        ),
        ((INTENDED, *taken("0.03"), Retried(by="me")), [("done", usd("0.03"))]),
    ],
)
def test_every_take_has_its_line_and_no_take_has_two(events: tuple[object, ...], expected: list[object]):
    assert [(line.status, line.charged_usd) for line in lines(story(A, *events))] == expected


def test_totals_add_up_by_whatever_is_asked():
    entries = [*story(A, INTENDED, *taken("0.03")), *story(B, INTENDED, *UNKNOWN)]
    everything = list(lines(entries))

    (total,) = totals(everything)
    assert (total.takes, total.pictures, total.charged, total.at_risk) == (2, 1, usd("0.03"), usd("0.05"))
    assert [(each.name, each.takes) for each in totals(everything, by="colour")] == [("blue", 2)]
    assert [each.name for each in totals(everything, by="status")] == ["done", "unknown"]
    assert [each.name for each in totals(everything, by="day")] == ["2026-11-01"]


def test_csv_reads_back_with_its_amounts_to_the_last_digit():
    text = "".join(as_csv(lines(story(A, INTENDED, *taken("0.123457"))), COMMAS))
    (row,) = csv.DictReader(io.StringIO(text))

    assert row["charged_usd"] == "0.123457"
    assert row["prompt"] == "'=HYPERLINK(0)"
    assert '"\'=HYPERLINK(0)"' in text


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        (Number("0.123457"), "0,123457"),
        (Number("101"), "101"),
        ("2.5", "2,5"),  # an Excel of decimal commas takes it for the second of May
        ("2.5.1", '"2.5.1"'),
        ("=1;2", '"\'=1;2"'),
        ('a "b"', '"a ""b"""'),
        (None, ""),
    ],
)
def test_semicolons_come_with_decimal_commas(cell: Cell, written: str):
    assert csv_row([cell, "x"], SEMICOLONS) == f'{written};"x"\n'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "  =1"])
def test_no_cell_begins_a_formula(text: str):
    assert disarmed(text) == f"'{text}"


@pytest.mark.parametrize("text", ["a = 1", ";=1", "fox", "", "1-2"])
def test_harmless_text_stays_as_it_is(text: str):
    assert disarmed(text) == text


def test_json_lines_read_back():
    (row,) = [json.loads(text) for text in map(json_line, lines(story(A, INTENDED, *taken("0.03"))))]

    assert row["charged_usd"] == "0.03"
    assert row["coordinates"] == {"colour": "blue"}
    assert row["schema_version"] == 1
