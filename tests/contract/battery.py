"""What both services and the emulator of them have in common: one battery of checks for any base URL and key.

For someone with a key, `FLUX2BATCH_ONLINE=bfl,fal python -m pytest tests/contract` points it at the real services;
by hand it is `python tests/contract/battery.py bfl`. The keys are read from BFL_API_KEY and FAL_KEY. It spends less
than a dollar.
"""

from __future__ import annotations

import json
import os
import re
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jsonschema
from service import SIDE, Service, real

from flux2batch.client import Client

OPENAPI = json.loads((Path(__file__).parent.parent / "fixtures" / "bfl_openapi.json").read_text())
PATHS = [path for path in OPENAPI["paths"] if path.startswith("/v1/flux-2-")]
BOAT = {"prompt": "a paper boat on a blue sea", "seed": 7}
BFL_BOAT = {**BOAT, "width": SIDE, "height": SIDE}
FAL_BOAT = {**BOAT, "image_size": {"width": SIDE, "height": SIDE}, "num_images": 1}


def holds(name: str, value: object) -> None:
    """Check a value against a schema of BFL's document."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": OPENAPI["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)


# Black Forest Labs. Facts and their sources: docs/services.md.


def bfl_wrong_key(bfl: Service) -> None:
    unknown, malformed = bfl.submit_with(f"bfl_{'0' * 32}"), bfl.submit_with("nonsense")

    assert unknown.status_code == 403, unknown.status_code
    assert isinstance(unknown.json()["detail"], str)
    assert malformed.status_code in (403, 422), malformed.status_code
    assert isinstance(malformed.json()["detail"], str)


def bfl_credits(bfl: Service) -> None:
    told = bfl.ask(f"{bfl.base_url}/v1/credits")

    assert told.status_code == 200, told.status_code
    assert isinstance(told.json()["credits"], (int, float))


def bfl_unknown_path(bfl: Service) -> None:
    told = bfl.ask(f"{bfl.base_url}/v1/flux-9-nothing")

    assert (told.status_code, told.json()["detail"]) == (404, "Not Found")


def bfl_unknown_id(bfl: Service) -> None:
    told = bfl.ask(f"{bfl.base_url}/v1/get_result?id={uuid.uuid4()}")

    assert (told.status_code, told.json()["status"]) == (404, "Task not found")
    holds("ResultResponse", told.json())


def bfl_refusals_on_every_path(bfl: Service) -> None:
    for path in PATHS:
        wrong = ({}, {**BFL_BOAT, "safety_tolerance": 99, "width": 1})
        missing, beyond = (bfl.submit(body, model=path.replace("/v1/", "bfl/")) for body in wrong)

        assert (missing.status_code, beyond.status_code) == (422, 422), path
        holds("HTTPValidationError", missing.json())
        holds("HTTPValidationError", beyond.json())
        [detail] = missing.json()["detail"]
        assert (detail["type"], detail["loc"]) == ("missing", ["body", "prompt"]), path
        assert {entry["loc"][-1] for entry in beyond.json()["detail"]} == {"safety_tolerance", "width"}, path


def bfl_picture(bfl: Service) -> None:
    before = datetime.now(UTC)
    submitted = bfl.submit(BFL_BOAT)
    assert submitted.status_code == 200, submitted.text[:300]
    task = submitted.json()
    polls = bfl.until(lambda: bfl.ask(task["polling_url"]), lambda told: told["status"] == "Ready")
    again, openly = bfl.ask(task["polling_url"]), bfl.ask_openly(task["polling_url"])
    sample = polls[-1].json()["result"]["sample"]
    picture = bfl.picture(sample)

    holds("AsyncResponse", task)
    assert str(uuid.UUID(task["id"])) == task["id"]
    assert 0 < task["cost"] < 5, task["cost"]
    for poll in (*polls, again, openly):
        holds("ResultResponse", poll.json())
        assert list(poll.json()) == ["id", "status", "result", "progress", "details", "preview"]
        assert (poll.status_code, poll.json()["id"]) == (200, task["id"])
        assert "Retry-After" in poll.headers
    result = polls[-1].json()["result"]
    assert {"start_time", "prompt", "seed", "sample"} <= set(result)
    assert (result["seed"], again.json()["status"], openly.json()["status"]) == (7, "Ready", "Ready")
    assert (picture.size, picture.format) == ((SIDE, SIDE), "JPEG")
    ends = datetime.strptime(parse_qs(urlsplit(sample).query)["se"][0], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(minutes=9) < ends - before < timedelta(minutes=15)
    assert bfl.ask_openly(re.sub(r"sig=[^&]{9}", "sig=AAAAAAAAA", sample)).status_code == 403


def bfl_webhook(bfl: Service) -> None:
    submitted = bfl.submit({**BFL_BOAT, "webhook_url": "https://example.org/flux2batch"})
    assert submitted.status_code == 200, submitted.text[:300]
    task = submitted.json()

    holds("AsyncWebhookResponse", task)
    assert "polling_url" not in task
    built = f"{bfl.base_url}/v1/get_result?id={task['id']}"
    bfl.until(lambda: bfl.ask(built), lambda told: told["status"] == "Ready")


# fal.


def fal_wrong_key(fal: Service) -> None:
    for key in ("a:b", "nonsense"):
        told = fal.submit_with(key)

        assert told.status_code == 401, told.status_code
        assert isinstance(told.json()["detail"], str)


def fal_unknown_id(fal: Service) -> None:
    told = fal.ask(f"{fal.base_url}/fal-ai/flux-2/requests/{uuid.uuid4()}/status")

    assert told.status_code == 404, told.status_code


def fal_picture(fal: Service) -> None:
    submitted = fal.submit(FAL_BOAT)
    assert submitted.status_code == 200, submitted.text[:300]
    task = submitted.json()
    early = fal.ask(task["response_url"])
    polls = fal.until(lambda: fal.ask(task["status_url"] + "?logs=1"), lambda told: told["status"] == "COMPLETED")
    done = fal.ask(task["response_url"])
    cancelled = fal.ask(task["cancel_url"], method="PUT")

    assert {"request_id", "response_url", "status_url", "cancel_url"} <= set(task)
    assert early.status_code == 200 or (early.status_code, list(early.json())) == (400, ["detail"])
    for poll in polls:
        told = poll.json()
        assert poll.status_code == (200 if told["status"] == "COMPLETED" else 202)
        assert told["status"] in ("IN_QUEUE", "IN_PROGRESS", "COMPLETED")
        assert told["status"] != "IN_QUEUE" or isinstance(told["queue_position"], int)
        assert told["status"] == "IN_QUEUE" or "logs" in told
    assert done.status_code == 200, done.text[:300]
    result = done.json()
    assert {"images", "timings", "seed", "has_nsfw_concepts", "prompt"} <= set(result)
    assert (result["seed"], len(result["images"]), len(result["has_nsfw_concepts"])) == (7, 1, 1)
    assert {"x-fal-request-id", "x-fal-billable-units"} <= {name.lower() for name in done.headers}
    assert 0 < float(done.headers["x-fal-billable-units"]) <= 1
    [image] = result["images"]
    assert fal.picture(image["url"]).size == (SIDE, SIDE)
    assert (cancelled.status_code, cancelled.json()["status"]) == (400, "ALREADY_COMPLETED")


def fal_refusal_is_a_result(fal: Service) -> None:
    submitted = fal.submit({**FAL_BOAT, "num_images": 9}, frames=9)
    assert submitted.status_code == 200, submitted.text[:300]
    task = submitted.json()
    fal.until(lambda: fal.ask(task["status_url"]), lambda told: told["status"] == "COMPLETED")
    result = fal.ask(task["response_url"])

    assert result.status_code == 422, result.status_code
    [detail] = result.json()["detail"]
    assert {"loc", "msg", "type"} <= set(detail)
    assert detail["loc"][-1] == "num_images"
    assert float(result.headers.get("x-fal-billable-units", "0")) == 0


def fal_prices(fal: Service) -> None:
    endpoint = fal.endpoint.lstrip("/")
    told = fal.ask(f"{fal.platform_url}/v1/models/pricing?endpoint_id={endpoint}")

    assert told.status_code == 200, told.status_code
    [row] = told.json()["prices"]
    assert (row["endpoint_id"], row["currency"]) == (endpoint, "USD")
    assert 0 < row["unit_price"] < 1


# Both, with our own client.


def our_client(service: Service) -> None:
    with Client(service.model, api_key=service.key, base_url=service.base_url) as client:
        price = client.quote("a paper boat", size=f"{SIDE}x{SIDE}")
        assert price is not None
        service.purse.take(price.max)
        result = client.generate("a paper boat", size=f"{SIDE}x{SIDE}", seed=7)

    assert result.images[0].pil().size == (SIDE, SIDE)
    assert result.seed == 7
    assert result.cost is None or result.cost <= price.max


CHECKS: Mapping[str, tuple[Callable[[Service], None], ...]] = {
    "bfl": (
        bfl_wrong_key,
        bfl_credits,
        bfl_unknown_path,
        bfl_unknown_id,
        bfl_refusals_on_every_path,
        bfl_picture,
        bfl_webhook,
        our_client,
    ),
    "fal": (fal_wrong_key, fal_unknown_id, fal_picture, fal_refusal_is_a_result, fal_prices, our_client),
}


def run(service: Service) -> list[str]:
    """Every check in its order, and what was found otherwise than expected."""
    found = []
    for check in CHECKS[service.name]:
        try:
            check(service)
        except Exception as error:
            found.append(f"{check.__name__}: {type(error).__name__}: {error}".replace(service.key, "****"))
    return found


def main(arguments: list[str], environ: Mapping[str, str]) -> int:
    """Run it against the real service of this name, or, for a try, against one at another base URL."""
    name, *elsewhere = arguments
    service = real(name, environ[{"bfl": "BFL_API_KEY", "fal": "FAL_KEY"}[name]])
    for base_url in elsewhere:
        service = replace(service, base_url=base_url, platform_url=base_url, pause_s=0.02)
    found = run(service)
    print(f"{len(CHECKS[name])} checks, ${service.purse.spent_usd} spent at most", *found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
