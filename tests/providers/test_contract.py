"""One battery for every provider, through sockets against the emulator; and every model of the catalogue once.

The services themselves are held to one contract with the emulator in tests/contract.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from relay import bodies, relaying

from flux2batch.client import Client
from flux2batch.emulator.server import Emulator
from flux2batch.engine.events import (
    Accepted,
    AccountRefused,
    Failed,
    Fetched,
    Frame,
    LinkExpired,
    Moderated,
    NotSent,
    Polled,
    PollFailed,
    Rejected,
    Rendered,
    StillWorking,
    Submitted,
    Throttled,
    Ticket,
    Unanswered,
    Vanished,
)
from flux2batch.money import usd
from flux2batch.planning.configuration import load_configuration
from flux2batch.planning.models.catalogue import entries
from flux2batch.planning.references.picture import Picture
from flux2batch.planning.shot import Shot, ShotId
from flux2batch.providers import registry
from flux2batch.providers.contract import Prepared, Provider
from flux2batch.secret import Secret

REQUESTS = Path(__file__).resolve().parents[1] / "fixtures" / "bfl_flux2_requests.json"
SERVICES = ("bfl", "fal")
MODELS = {"bfl": "bfl/flux-2-pro", "fal": "fal/flux-2"}


def png() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (128, 96), "teal").save(buffer, "PNG")
    return buffer.getvalue()


PICTURE = Picture(content=png(), media_type="image/png", url=None)


@dataclass(frozen=True, slots=True)
class Bench:
    """One provider and the emulator that it speaks to."""

    provider: Provider
    emulator: Emulator

    def prepared(self, prompt: str = "a paper boat", pictures: tuple[Picture, ...] = (), **params: Any) -> Prepared:
        return self.provider.prepare(shot(self.provider.name, prompt, len(pictures), **params), pictures)

    def submit(self, prompt: str = "a paper boat", **params: Any) -> Submitted:
        return self.send(self.prepared(prompt, **params))

    def send(self, prepared: Prepared) -> Submitted:
        line = self.provider.connect(prepared)
        return line if isinstance(line, NotSent) else self.provider.send(line, prepared)

    def settle(self, ticket: Ticket) -> Polled:
        """Poll for at most two seconds, or until something else than waiting is said."""
        ends = time.monotonic() + 2
        while True:
            polled = self.provider.poll(ticket)
            if not isinstance(polled, StillWorking) or time.monotonic() > ends:
                return polled
            time.sleep(0.05)  # between two polls


def shot(service: str, prompt: str, references: int = 0, **params: Any) -> Shot:
    entry = entries()[MODELS[service]]
    return Shot(
        id=ShotId("0" * 32),
        index=0,
        model=entry.model,
        endpoint=entry.endpoint_for(references),
        prompt=prompt,
        params={"width": 512, "height": 512, "seed": 7, **params},
        references=(),
        coordinates={},
        repeat=1,
        paths=(),
        trim=None,
        quote=None,
    )


Open = Callable[..., Bench]


@pytest.fixture
def bench() -> Iterator[Open]:
    """`bench("bfl", faults=…)`: a provider beside an emulator of its own."""
    opened: list[Bench] = []

    def start(service: str, **options: Any) -> Bench:
        emulator = Emulator(**options)
        emulator.start()
        base_url = emulator.bfl_base_url if service == "bfl" else emulator.fal_base_url
        key = Secret(emulator.bfl_api_key if service == "bfl" else emulator.fal_key)
        provider = registry.make(service, load_configuration(environ={}), base_url=base_url, key=key)
        opened.append(Bench(provider, emulator))
        return opened[-1]

    yield start
    for one in opened:
        one.provider.close()
        one.emulator.stop()


# What a submit means.

SUBMITS: dict[str, tuple[type, dict[str, Any], type, dict[str, Any]]] = {
    # the fault              BFL            and of it                            fal            and of it
    "429=7":                (Throttled,     {"wait_s": 7.0},                    Throttled,     {"wait_s": 7.0}),
    "429=soon":             (Throttled,     {"wait_s": None},                   Throttled,     {"wait_s": None}),
    "429":                  (Throttled,     {"wait_s": None},                   Throttled,     {"wait_s": None}),
    "401":                  (AccountRefused, {"kind": "key"},                   AccountRefused, {"kind": "key"}),
    "402":                  (AccountRefused, {"kind": "credits"},               AccountRefused, {"kind": "credits"}),
    "403":                  (AccountRefused, {"kind": "key"},                   AccountRefused, {"kind": "credits"}),
    "422":                  (Rejected,      {"status": 422},                    Rejected,      {"status": 422}),
    "404":                  (Rejected,      {"status": 404},                    Rejected,      {"status": 404}),
    "408":                  (Unanswered,    {"status": 408},                    Unanswered,    {"status": 408}),
    "500":                  (Unanswered,    {"status": 500},                    Unanswered,    {"status": 500}),
    "503-after-accept":     (Unanswered,    {"status": 503},                    Unanswered,    {"status": 503}),
    "redirect":             (Unanswered,    {"status": 307},                    Unanswered,    {"status": 307}),
    "drop":                 (Unanswered,    {"status": None},                   Unanswered,    {"status": None}),
    "drop-after-accept":    (Unanswered,    {"status": None},                   Unanswered,    {"status": None}),
    "reset-after-accept":   (Unanswered,    {"status": None},                   Unanswered,    {"status": None}),
    "html":                 (Unanswered,    {"status": 200},                    Unanswered,    {"status": 200}),
    "html-answer":          (Unanswered,    {"status": 200},                    Unanswered,    {"status": 200}),
    "odd-id=number":        (Unanswered,    {"status": 200},                    Accepted,      {"evidence": "answer"}),
    "missing-id":           (Unanswered,    {"status": 200},                    Accepted,      {"evidence": "answer"}),
    "cut-body=20":          (Unanswered,    {"status": 200},                    Accepted,      {}),
    "cut-body=150":         (Accepted,      {"evidence": "salvaged from a cut answer"}, Accepted, {}),
    "chunked-answer":       (Accepted,      {"evidence": "answer"},             Accepted,      {"evidence": "answer"}),
    "gzip-answer":          (Accepted,      {"evidence": "answer"},             Accepted,      {"evidence": "answer"}),
    "early-hints":          (Accepted,      {"evidence": "answer"},             Accepted,      {"evidence": "answer"}),
    "cost=null":            (Accepted,      {"charge": None},                   Accepted,      {"charge": None}),
    "cost=negative":        (Accepted,      {"charge": None},                   Accepted,      {"charge": None}),
    "cost=string":          (Accepted,      {},                                 Accepted,      {"charge": None}),
}  # fmt: skip


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("fault", SUBMITS)
def test_a_submit_means(bench: Open, service: str, fault: str):
    expected, of_it = SUBMITS[fault][:2] if service == "bfl" else SUBMITS[fault][2:]
    outcome = bench(service, faults=[fault]).submit()

    assert type(outcome) is expected, outcome
    assert {name: getattr(outcome, name) for name in of_it} == of_it


@pytest.mark.parametrize("service", SERVICES)
def test_a_refusal_names_the_parameter_by_our_name(bench: Open, service: str):
    outcome = bench(service, faults=["422"]).submit()

    assert isinstance(outcome, Rejected)
    assert [name for name, _ in outcome.parameters] == ["prompt"]


def test_a_field_of_bfl_is_mapped_back_to_ours(bench: Open):
    outcome = bench("bfl").submit(safety_tolerance=9)

    assert isinstance(outcome, Rejected)
    assert outcome.parameters == (("safety_tolerance", "Input should be less than or equal to 5"),)


def test_the_charge_of_bfl_comes_with_its_answer(bench: Open):
    outcome = bench("bfl").submit()

    assert isinstance(outcome, Accepted)
    assert outcome.charge is not None
    assert (outcome.charge.usd, outcome.charge.source) == (usd("0.03"), "cost")
    assert outcome.charge.megapixels_out == "0.25"


@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_key_is_refused(bench: Open, service: str):
    here = bench(service)
    wrong = Secret("bfl_wrongwrongwrong" if service == "bfl" else "wrong-wrong:wrongwrong")
    provider = registry.make(service, load_configuration(environ={}), base_url=here.provider.origin, key=wrong)
    outcome = Bench(provider, here.emulator).submit()
    provider.close()

    assert isinstance(outcome, AccountRefused)
    assert outcome.kind == "key"


def test_the_twenty_fifth_task_in_flight_is_throttled(bench: Open):
    here = bench("bfl", latency="60", active_limit=3)
    outcomes = [here.submit() for _ in range(4)]

    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted, Accepted, Throttled]


def test_an_empty_account_is_told_apart_from_a_wrong_key(bench: Open):
    for service in SERVICES:
        outcome = bench(service, balance_usd=0).submit()

        assert isinstance(outcome, AccountRefused)
        assert outcome.kind == "credits"


# What a poll means.

POLLS: dict[str, tuple[type, dict[str, Any], type, dict[str, Any]]] = {
    # the fault              BFL            and of it                            fal            and of it
    "":                     (Rendered,      {"seed": 7},                        Rendered,      {"seed": 7}),
    "request-moderated":    (Moderated,     {"stage": "request"},               Moderated,     {}),
    "content-moderated":    (Moderated,     {"stage": "content"},               Moderated,     {"stage": "content"}),
    "error":                (Failed,        {},                                 Failed,        {}),
    "error=out of order":   (Failed,        {"reason": "error: out of order"},  Failed, {"reason": "out of order"}),
    "error=none":           (Failed,        {},                                 Failed,        {}),
    "failed":               (Failed,        {},                                 Failed,        {}),
    "vanish=0":             (Vanished,      {},                                 Vanished,      {}),
    "poll-404":             (Vanished,      {},                                 Vanished,      {}),
    "poll-500":             (PollFailed,    {"status": 500},                    PollFailed,    {"status": 500}),
    "poll-429":             (PollFailed,    {"status": 429},                    PollFailed,    {"status": 429}),
    "poll-html":            (PollFailed,    {"status": 200},                    PollFailed,    {}),
    "poll-drop":            (PollFailed,    {"status": None},                   PollFailed,    {"status": None}),
    "poll-nan":             (PollFailed,    {},                                 PollFailed,    {}),
    "poll-deep":            (PollFailed,    {},                                 PollFailed,    {}),
    "poll-huge":            (PollFailed,    {},                                 PollFailed,    {}),
    "poll-duplicate-keys":  (PollFailed,    {},                                 PollFailed,    {}),
    "no-sample":            (PollFailed,    {},                                 PollFailed,    {}),
}  # fmt: skip


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("fault", POLLS)
def test_a_poll_means(bench: Open, service: str, fault: str):
    expected, of_it = POLLS[fault][:2] if service == "bfl" else POLLS[fault][2:]
    here = bench(service, faults=[fault] if fault else [])
    accepted = here.submit()
    assert isinstance(accepted, Accepted)
    outcome = here.settle(accepted.ticket)

    assert type(outcome) is expected, outcome
    assert {name: getattr(outcome, name) for name in of_it} == of_it


def test_moderation_tells_its_reasons_and_that_nothing_was_billed(bench: Open):
    here = bench("bfl", faults=["content-moderated=Protected Content"])
    accepted = here.submit()
    assert isinstance(accepted, Accepted)
    outcome = here.settle(accepted.ticket)

    assert isinstance(outcome, Moderated)
    assert outcome.reasons == ("Protected Content",)
    assert outcome.charge is not None
    assert outcome.charge.usd == 0 == here.emulator.books.charged


@pytest.mark.parametrize("service", SERVICES)
def test_a_picture_on_its_way_is_still_worked_on(bench: Open, service: str):
    here = bench(service, latency="60")
    accepted = here.submit()
    assert isinstance(accepted, Accepted)
    outcome = here.provider.poll(accepted.ticket)

    assert isinstance(outcome, StillWorking)
    assert outcome.known


@pytest.mark.parametrize("service", SERVICES)
def test_a_status_never_heard_of_is_still_working_and_marked(bench: Open, service: str):
    here = bench(service, latency="60", faults=["status=Frobnicating"])
    accepted = here.submit()
    assert isinstance(accepted, Accepted)
    outcome = here.provider.poll(accepted.ticket)

    assert isinstance(outcome, StillWorking)
    assert (outcome.status, outcome.known) == ("Frobnicating", False)


def test_a_place_in_the_queue_is_told(bench: Open):
    here = bench("fal", latency="60", concurrency=1)
    tickets = [accepted.ticket for accepted in (here.submit(), here.submit(), here.submit())]
    outcome = here.provider.poll(tickets[2])

    assert isinstance(outcome, StillWorking)
    assert outcome.queue_position == 1


@pytest.mark.parametrize("service", SERVICES)
def test_a_task_is_polled_in_another_process_by_its_ticket_alone(bench: Open, service: str):
    here = bench(service)
    accepted = here.submit()
    assert isinstance(accepted, Accepted)
    key = Secret(here.emulator.bfl_api_key if service == "bfl" else here.emulator.fal_key)
    later = registry.make(service, load_configuration(environ={}), base_url=here.provider.origin, key=key)
    outcome = Bench(later, here.emulator).settle(accepted.ticket)
    later.close()

    assert isinstance(outcome, Rendered)


# What comes of a picture.


@pytest.mark.parametrize("service", SERVICES)
def test_a_finished_picture_is_fetched(bench: Open, service: str):
    here = bench(service)
    accepted = here.submit(output_format="png")
    assert isinstance(accepted, Accepted)
    rendered = here.settle(accepted.ticket)
    assert isinstance(rendered, Rendered)
    fetched = here.provider.fetch(rendered.frames[0].url)

    assert isinstance(fetched, Fetched)
    assert fetched.media_type == "image/png"
    assert Image.open(BytesIO(fetched.content)).size == (512, 512)
    assert {key for (door, key) in here.emulator.books.sightings() if door in ("bfl-delivery", "fal-media")} == {"none"}


def test_a_link_of_bfl_that_has_ended_is_asked_for_afresh(bench: Open):
    here = bench("bfl", link_s=1.0)
    accepted = here.submit()
    assert isinstance(accepted, Accepted)
    stale = here.settle(accepted.ticket)
    assert isinstance(stale, Rendered)
    time.sleep(2.1)  # the link lives for one second, and its stamp counts whole ones
    expired = here.provider.fetch(stale.frames[0].url)
    fresh = here.settle(accepted.ticket)
    assert isinstance(fresh, Rendered)

    assert isinstance(expired, LinkExpired)
    assert fresh.expires_at is not None
    assert isinstance(here.provider.fetch(fresh.frames[0].url), Fetched)


def test_several_frames_of_fal_are_one_take(bench: Open):
    here = bench("fal")
    accepted = here.submit(num_images=4)
    assert isinstance(accepted, Accepted)
    rendered = here.settle(accepted.ticket)

    assert isinstance(rendered, Rendered)
    assert len(rendered.frames) == 4
    assert all(isinstance(frame, Frame) and frame.width == 512 and not frame.nsfw for frame in rendered.frames)
    assert rendered.charge is not None
    assert rendered.charge.usd == usd("0.012") == here.emulator.books.charged


def test_black_frames_of_fal_are_flagged(bench: Open):
    here = bench("fal", faults=["black"])
    accepted = here.submit(num_images=2)
    assert isinstance(accepted, Accepted)
    rendered = here.settle(accepted.ticket)

    assert isinstance(rendered, Rendered)
    assert [frame.nsfw for frame in rendered.frames] == [True, True]
    assert rendered.charge is not None, "they are billed all the same"


def test_without_billable_units_the_charge_is_not_known(bench: Open):
    here = bench("fal", faults=["units=none"])
    accepted = here.submit()
    assert isinstance(accepted, Accepted)
    rendered = here.settle(accepted.ticket)

    assert isinstance(rendered, Rendered)
    assert rendered.charge is None


# What else a service can tell.


@pytest.mark.parametrize("service", SERVICES)
def test_a_balance_is_told_and_goes_down_by_what_is_charged(bench: Open, service: str):
    here = bench(service, balance_usd=10)
    before = here.provider.balance()
    accepted = here.submit()
    assert isinstance(accepted, Accepted)
    here.settle(accepted.ticket)
    after = here.provider.balance()

    assert before == usd(10)
    assert after is not None
    assert Decimal(10) - after == here.emulator.books.charged > 0


def test_a_lost_answer_of_fal_is_found_by_its_input(bench: Open):
    here = bench("fal", faults=["drop-after-accept@1"])
    ours = here.prepared(pictures=(PICTURE,), guidance=Decimal("2.5"))
    since = datetime.now(UTC)
    lost = here.send(ours)
    here.send(here.prepared("another boat", pictures=(PICTURE,)))
    assert isinstance(lost, Unanswered)
    found = _until(lambda: here.provider.find(ours, since=since))

    [ticket] = found
    assert ticket.task_id == here.emulator.books.tasks()[0].id
    assert isinstance(here.settle(ticket), Rendered)
    assert here.provider.find(ours, since=since + timedelta(hours=1)) == ()


def test_two_requests_with_one_input_are_both_found(bench: Open):
    here = bench("fal", concurrency=2)
    ours = here.prepared()
    since = datetime.now(UTC)
    here.send(ours)
    here.send(ours)
    found = _until(lambda: here.provider.find(ours, since=since), count=2)

    assert len(found) == 2


def test_bfl_lists_nothing(bench: Open):
    here = bench("bfl")
    ours = here.prepared()
    here.send(ours)

    assert here.provider.find(ours, since=datetime.now(UTC)) == ()


def _until(look: Callable[[], tuple[Ticket, ...]], *, count: int = 1) -> tuple[Ticket, ...]:
    """fal lists a request when it has ended."""
    ends = time.monotonic() + 10
    while len(found := look()) < count and time.monotonic() < ends:
        time.sleep(0.05)  # between two polls
    return found


# Every model, and exactly its documented fields.

_BFL = "prompt width height seed safety_tolerance output_format"
_FAL = "prompt image_size seed output_format sync_mode enable_safety_checker"
_EXPANDS = f"{_FAL} num_images guidance_scale enable_prompt_expansion"
FIELDS = {
    "bfl/flux-2-pro":             f"{_BFL} disable_pup",
    "bfl/flux-2-pro-preview":     f"{_BFL} disable_pup",
    "bfl/flux-2-max":             f"{_BFL} disable_pup",
    "bfl/flux-2-flex":            f"{_BFL} prompt_upsampling guidance steps",
    "bfl/flux-2-klein-4b":        _BFL,
    "bfl/flux-2-klein-9b":        _BFL,
    "bfl/flux-2-klein-9b-preview": _BFL,
    "fal/flux-2":                 f"{_EXPANDS} num_inference_steps acceleration",
    "fal/flux-2-flash":           _EXPANDS,
    "fal/flux-2-turbo":           _EXPANDS,
    "fal/flux-2-klein-4b":        f"{_FAL} num_images num_inference_steps",
    "fal/flux-2-klein-9b":        f"{_FAL} num_images num_inference_steps",
    "fal/flux-2-pro":             f"{_FAL} safety_tolerance",
    "fal/flux-2-flex":            f"{_FAL} safety_tolerance guidance_scale num_inference_steps",
    "fal/flux-2-max":             f"{_FAL} safety_tolerance",
}  # fmt: skip


def test_the_table_names_every_model_of_the_catalogue():
    assert sorted(FIELDS) == sorted(model for model, entry in entries().items() if entry.provider in SERVICES)


@pytest.fixture(scope="module")
def emulated() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.mark.parametrize("references", [0, 1, "all"], ids=["alone", "with a reference", "with all it takes"])
@pytest.mark.parametrize("model", FIELDS)
def test_a_model_makes_a_picture_and_is_sent_exactly_its_documented_fields(
    emulated: Emulator, model: str, references: int | str
):
    entry = entries()[model]
    count = entry.references.max if references == "all" else int(references)
    service = entry.provider
    base_url, key = (
        (emulated.bfl_base_url, emulated.bfl_api_key) if service == "bfl" else (emulated.fal_base_url, emulated.fal_key)
    )
    with relaying(base_url) as relay, Client(model, api_key=key, base_url=relay.url) as client:
        result = client.generate("a paper boat", images=[png()] * count, size="512x512", seed=7)
    [body] = bodies(relay)

    assert len(result.images) == 1
    assert result.images[0].pil().size == (512, 512)
    assert result.cost is not None
    assert result.quote is not None
    assert result.quote.min <= result.cost <= result.quote.max
    fields = set(FIELDS[model].split())
    if service == "bfl":
        fields |= {f"input_image{'' if number == 1 else f'_{number}'}" for number in range(1, count + 1)}
        assert _undocumented(body, entry.endpoint) <= {"disable_pup"}, "younger than the document"
        assert not any(str(value).startswith("data:") for value in body.values())
    elif count:
        fields |= {"image_urls"}
        assert all(url.startswith("data:image/png;base64,") for url in body["image_urls"])
        assert len(body["image_urls"]) == count
    assert set(body) == fields


def _undocumented(body: dict[str, Any], endpoint: str) -> set[str]:
    """The fields that BFL's own schema of the endpoint does not have."""
    document = json.loads(REQUESTS.read_bytes())
    return set(body) - set(document["schemas"][document["paths"][endpoint]]["properties"])
