"""The emulator as BFL: its answers hold against BFL's own OpenAPI document, and its odd habits are there."""

from __future__ import annotations

import base64
import http.client
import io
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
from PIL import Image
from receiving import Hook, picture

OPENAPI = json.loads((Path(__file__).parent.parent / "fixtures" / "bfl_openapi.json").read_text())
MODELS = [path.removeprefix("/v1/") for path in OPENAPI["paths"] if path.startswith("/v1/flux-2-")]
WRONG_KEY = {"detail": "Not authenticated - Invalid Authentication"}


def holds(name: str, value: object) -> None:
    """Check a value against a schema of the document."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": OPENAPI["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)


def request_schema(model: str) -> dict[str, Any]:
    reference = OPENAPI["paths"][f"/v1/{model}"]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return {"$ref": reference, "components": OPENAPI["components"]}


def test_every_flux_2_path_of_the_document_is_served() -> None:
    from flux2batch.emulator.bfl_rules import ENDPOINTS

    assert sorted(ENDPOINTS) == sorted(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_answers_hold_against_the_document(visit: Any, model: str) -> None:
    visitor = visit()

    submitted = visitor.bfl(model, input_image=picture())
    result = visitor.ready(submitted.json()["polling_url"])
    hooked = visitor.bfl(model, webhook_url="https://example.org/hook")
    refused = visitor.bfl(model, safety_tolerance=9)

    assert submitted.status_code == 200
    holds("AsyncResponse", submitted.json())
    holds("ResultResponse", result)
    holds("AsyncWebhookResponse", hooked.json())
    assert "polling_url" not in hooked.json()
    assert refused.status_code == 422
    holds("HTTPValidationError", refused.json())
    assert list(result) == ["id", "status", "result", "progress", "details", "preview"]
    assert set(result["result"]) == {"start_time", "prompt", "seed", "sample"}


# What the document's schema says of a request, the emulator says too.
REQUESTS: list[dict[str, Any]] = [
    {},
    {"prompt": "x"},
    {"prompt": None},
    {"prompt": 3},
    {"prompt": "x", "width": 0},
    {"prompt": "x", "width": 63},
    {"prompt": "x", "width": 64},
    {"prompt": "x", "width": None},
    {"prompt": "x", "width": [64]},
    {"prompt": "x", "seed": None},
    {"prompt": "x", "seed": 2**40},
    {"prompt": "x", "seed": 1.5},
    {"prompt": "x", "safety_tolerance": None},
    {"prompt": "x", "safety_tolerance": 0},
    {"prompt": "x", "safety_tolerance": 6},
    {"prompt": "x", "safety_tolerance": -1},
    {"prompt": "x", "output_format": "jpg"},
    {"prompt": "x", "output_format": None},
    {"prompt": "x", "output_format": "webp"},
    {"prompt": "x", "webhook_url": ""},
    {"prompt": "x", "guidance": 1.0},
    {"prompt": "x", "guidance": 10},
    {"prompt": "x", "guidance": 10.5},
    {"prompt": "x", "steps": 0},
    {"prompt": "x", "steps": 50},
    {"prompt": "x", "steps": 51},
    {"prompt": "x", "prompt_upsampling": None},
    {"prompt": "x", "prompt_upsampling": {}},
    {"prompt": "x", "input_image": 3},
    {"prompt": "x", "input_image_5": 3},
    {"prompt": "x", "webhook_secret": []},
    {"prompt": "x", "aspect_ratio": "16:9"},
]


@pytest.mark.parametrize("model", MODELS)
def test_requests_are_judged_as_the_document_judges_them(model: str) -> None:
    from flux2batch.emulator.bfl_rules import ENDPOINTS, check

    schema = jsonschema.Draft202012Validator(request_schema(model))
    for body in REQUESTS:
        _, complaints = check(ENDPOINTS[model], body)

        assert bool(complaints) == (not schema.is_valid(body)), body


FORMATS = "'jpeg', 'png' or 'webp'"
COMPLAINTS: list[tuple[dict[str, Any], str, str, dict[str, Any] | None]] = [
    ({"width": 0}, "greater_than_equal", "Input should be greater than or equal to 64", {"ge": 64}),
    ({"safety_tolerance": 6}, "less_than_equal", "Input should be less than or equal to 5", {"le": 5}),
    ({"safety_tolerance": None}, "int_type", "Input should be a valid integer", None),
    ({"output_format": "jpg"}, "enum", f"Input should be {FORMATS}", {"expected": FORMATS}),
    ({"prompt": None}, "string_type", "Input should be a valid string", None),
    ({"seed": "x"}, "int_parsing", "Input should be a valid integer, unable to parse string as an integer", None),
]


@pytest.mark.parametrize(("body", "kind", "message", "context"), COMPLAINTS)
def test_refusals_have_the_shape_of_pydantic_2(
    visit: Any, body: dict[str, Any], kind: str, message: str, context: dict[str, Any] | None
) -> None:
    (detail,) = visit().bfl(**body).json()["detail"]

    assert (detail["type"], detail["loc"], detail["msg"], detail.get("ctx")) == (
        kind,
        ["body", *body],
        message,
        context,
    )
    assert detail["input"] == next(iter(body.values()))


def test_a_missing_prompt_and_a_body_that_is_no_json_are_refused(visit: Any) -> None:
    visitor = visit()
    url, headers = f"{visitor.emulator.bfl_base_url}/v1/flux-2-pro", {"x-key": visitor.emulator.bfl_api_key}

    (missing,) = visitor.ask("POST", url, json={}, headers=headers).json()["detail"]
    (broken,) = visitor.ask("POST", url, data=b"{", headers=headers).json()["detail"]

    assert missing == {"type": "missing", "loc": ["body", "prompt"], "msg": "Field required", "input": {}}
    assert (broken["type"], broken["loc"]) == ("json_invalid", ["body", 1])


@pytest.mark.parametrize(
    ("key", "status", "body"),
    [
        (None, 403, WRONG_KEY),
        ("bfl_0123456789abcdef", 403, WRONG_KEY),
        ("not a key", 422, {"detail": "Invalid API key format"}),
    ],
)
def test_a_wrong_key_is_refused_in_bfls_words(visit: Any, key: str | None, status: int, body: object) -> None:
    visitor = visit()
    headers = {} if key is None else {"x-key": key}

    for method, path in (("POST", "/v1/flux-2-pro"), ("GET", "/v1/credits")):
        made = visitor.ask(method, visitor.emulator.bfl_base_url + path, json={"prompt": "x"}, headers=headers)
        assert (made.status_code, made.json()) == (status, body)


def test_a_client_that_builds_the_polling_url_itself_finds_nothing(visit: Any) -> None:
    visitor = visit()
    task = visitor.bfl().json()

    rebuilt = visitor.get(f"{visitor.emulator.bfl_base_url}/v1/get_result?id={task['id']}")

    assert not task["polling_url"].startswith(visitor.emulator.bfl_base_url)
    assert (rebuilt.status_code, rebuilt.json()["status"], len(rebuilt.json())) == (404, "Task not found", 6)
    assert visitor.get(task["polling_url"]).json()["status"] == "Ready"


def test_polls_need_no_key_and_carry_the_headers_of_the_regional_hosts(visit: Any) -> None:
    visitor = visit(latency="60")

    poll = visitor.get(visitor.bfl().json()["polling_url"])

    assert (poll.status_code, poll.json()["status"], poll.json()["result"]) == (200, "Pending", None)
    assert {"Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} <= set(poll.headers)


@pytest.mark.parametrize(
    ("model", "size", "references", "cost", "input_mp", "output_mp"),
    [
        ("flux-2-pro", (256, 256), (), 3.0, 0.0, 0.06),
        ("flux-2-max", (256, 256), (), 7.000000000000001, 0.0, 0.06),
        ("flux-2-pro", (1920, 1080), (), 4.5, 0.0, 1.98),
        ("flux-2-pro", (2048, 2048), (), 7.5, 0.0, 4.0),
        ("flux-2-klein-4b", (1024, 1024), (), 1.4, 0.0, 1.0),
        ("flux-2-flex", (1024, 1024), ((1024, 1024), (1200, 1000)), 20.0, 2.14, 1.0),
    ],
)
def test_prices_come_in_credits_with_their_dust(
    visit: Any,
    model: str,
    size: tuple[int, int],
    references: tuple[Any, ...],
    cost: float,
    input_mp: float,
    output_mp: float,
) -> None:
    fields = ("input_image", "input_image_2")
    images = {field: picture(*wanted) for field, wanted in zip(fields, references, strict=False)}

    told = visit().bfl(model, width=size[0], height=size[1], **images).json()

    assert told["cost"] == pytest.approx(cost)
    assert (told["input_mp"], told["output_mp"]) == (input_mp, output_mp)
    if model == "flux-2-max":
        assert told["cost"] == 7.000000000000001


def test_sizes_follow_the_first_reference_and_are_cut_to_sixteens(visit: Any) -> None:
    visitor = visit()

    def size(**body: Any) -> tuple[int, int]:
        result = visitor.ready(visitor.bfl(**{"width": None, "height": None, **body}).json()["polling_url"])
        return Image.open(io.BytesIO(visitor.get(result["result"]["sample"]).content)).size

    assert size() == (1024, 1024)
    assert size(input_image=picture(330, 200)) == (320, 192)
    assert size(width=1000, height=100) == (992, 96)


def test_a_reference_is_raw_base64_or_a_url_and_nothing_else(visit: Any) -> None:
    visitor = visit()

    assert visitor.bfl(input_image=picture()).status_code == 200
    assert visitor.bfl(input_image="https://example.org/a.png").status_code == 200
    for wrong in (
        f"data:image/png;base64,{picture()}",
        "refs/a.png",
        base64.b64encode(b"no picture").decode(),
        picture(32, 32),
    ):
        assert visitor.bfl(input_image=wrong).status_code == 422


def test_too_many_megapixels_are_refused(visit: Any) -> None:
    assert visit().bfl(width=2560, height=2560).status_code == 422


def test_the_link_is_signed_expires_and_is_signed_afresh_by_a_poll(visit: Any) -> None:
    visitor = visit(link_s=1.2)
    url = visitor.bfl().json()["polling_url"]
    sample = visitor.ready(url)["result"]["sample"]

    assert visitor.get(sample).status_code == 200
    assert visitor.get(sample[:-9] + "AAAAAA%3D").status_code == 403
    expired = visitor.until(lambda: visitor.get(sample), lambda answer: answer.status_code == 403)
    assert b"AuthenticationFailed" in expired.content
    fresh = visitor.ready(url)["result"]["sample"]
    assert fresh != sample
    assert visitor.get(fresh).status_code == 200


def test_the_twenty_fifth_task_has_to_wait(visit: Any) -> None:
    visitor = visit(latency="0.6")

    answers = [visitor.bfl(seed=seed) for seed in range(25)]

    assert [answer.status_code for answer in answers] == [200] * 24 + [429]
    assert isinstance(answers[-1].json()["detail"], str)
    visitor.until(lambda: visitor.bfl(seed=99).status_code, lambda status: status == 200)


def test_money_runs_out_and_moderated_pictures_cost_nothing(visit: Any) -> None:
    visitor = visit(balance_usd=0.07)
    credit = lambda: visitor.get(
        f"{visitor.emulator.bfl_base_url}/v1/credits", headers={"x-key": visitor.emulator.bfl_api_key}
    ).json()["credits"]

    visitor.bfl(prompt="[emulate content-moderated]")
    assert credit() == pytest.approx(7.0)
    assert [visitor.bfl(seed=seed).status_code for seed in range(3)] == [200, 200, 402]
    assert credit() == pytest.approx(1.0)
    assert visitor.emulator.books.imbalance() == 0


def test_upsampling_is_asked_for_in_each_models_own_way(visit: Any) -> None:
    visitor = visit()

    def final_prompt(model: str, **body: Any) -> str:
        return visitor.ready(visitor.bfl(model, prompt="a fox", **body).json()["polling_url"])["result"]["prompt"]

    assert final_prompt("flux-2-pro") != "a fox"
    assert final_prompt("flux-2-pro", prompt_upsampling=False) != "a fox"
    assert final_prompt("flux-2-pro", disable_pup=True) == "a fox"
    assert final_prompt("flux-2-flex") != "a fox"
    assert final_prompt("flux-2-flex", prompt_upsampling=False) == "a fox"
    assert final_prompt("flux-2-klein-4b") == "a fox"


def test_a_seed_is_drawn_when_none_is_given(visit: Any) -> None:
    visitor = visit()

    seeds = {visitor.ready(visitor.bfl().json()["polling_url"])["result"]["seed"] for _ in range(3)}

    assert len(seeds) == 3
    assert visitor.ready(visitor.bfl(seed=7).json()["polling_url"])["result"]["seed"] == 7


@pytest.mark.parametrize(
    ("fault", "status", "name"), [((), "Ready", "id"), (("webhook-success",), "SUCCESS", "task_id")]
)
def test_a_callback_brings_the_secret_and_the_picture(
    visit: Any, fault: tuple[str, ...], status: str, name: str
) -> None:
    visitor, hook = visit(faults=fault, latency="0.1"), Hook()
    try:
        task = visitor.bfl(webhook_url=hook.url, webhook_secret="s3cret").json()
        visitor.until(lambda: len(hook.heard), lambda count: count > 0)
    finally:
        hook.close()

    ((headers, payload),) = hook.heard
    assert headers["x-webhook-secret"] == "s3cret"
    assert (payload[name], payload["status"]) == (task["id"], status)
    assert visitor.get(payload["result"]["sample"]).status_code == 200


def test_a_task_with_a_webhook_can_be_asked_for_at_the_base(visit: Any) -> None:
    visitor = visit()
    task = visitor.bfl(webhook_url="http://127.0.0.1:9/").json()

    assert visitor.get(f"{visitor.emulator.bfl_base_url}/v1/get_result?id={task['id']}").json()["status"] == "Ready"


def test_the_price_service_answers_or_does_not_exist(visit: Any) -> None:
    body = {"model": "flux-2-pro", "width": 1920, "height": 1080, "input_images": [{"width": 512, "height": 512}]}

    def price(visitor: Any) -> Any:
        headers = {"x-key": visitor.emulator.bfl_api_key}
        return visitor.ask("POST", f"{visitor.emulator.bfl_base_url}/v1/pricing", json=body, headers=headers)

    assert price(visit()).json()["cost"] == pytest.approx(6.0)
    assert price(visit(pricing=False)).json() == {"detail": "Not Found"}


def test_unknown_paths_are_not_found_in_bfls_words(visit: Any) -> None:
    made = visit().bfl("flux-9-pro")

    assert (made.status_code, made.json()) == (404, {"detail": "Not Found"})


def test_everything_can_stand_behind_one_port(visit: Any) -> None:
    visitor = visit(several_origins=False)
    task = visitor.bfl().json()

    assert len(set(visitor.emulator.urls.values())) == 1
    assert visitor.get(visitor.ready(task["polling_url"])["result"]["sample"]).status_code == 200
    assert visitor.fal().status_code == 200
    assert visitor.fal("run/fal-ai/flux-2").json()["images"]


def test_time_taken_has_the_mean_and_the_spread_that_were_asked_for() -> None:
    from flux2batch.emulator.latency import parse_latency

    latency = parse_latency("4±1,flux-2-max=9", speed=2)
    drawn = [latency.duration_s("flux-2-pro", draw=str(number)) for number in range(2000)]

    mean = sum(drawn) / len(drawn)
    assert mean == pytest.approx(2.0, rel=0.05)
    assert (sum((one - mean) ** 2 for one in drawn) / len(drawn)) ** 0.5 == pytest.approx(0.5, rel=0.1)
    assert latency.duration_s("flux-2-max", draw="x") == 4.5
    assert drawn[0] == latency.duration_s("flux-2-pro", draw="0")


def test_five_thousand_tasks_can_be_in_flight(visit: Any) -> None:
    visitor = visit(latency="300", active_limit=None)
    parts = urlsplit(visitor.emulator.bfl_base_url)
    line = http.client.HTTPConnection(parts.netloc, timeout=20)
    urls = []
    for seed in range(5000):
        body = json.dumps({"prompt": "a paper boat", "width": 128, "height": 128, "seed": seed})
        line.request("POST", "/v1/flux-2-pro", body, {"x-key": visitor.emulator.bfl_api_key})
        urls.append(json.loads(line.getresponse().read())["polling_url"])
    line.close()

    assert visitor.emulator.books.active("bfl", at=time.time()) == 5000
    assert len(set(urls)) == 5000
    for url in urls[::500]:
        assert visitor.get(url).json()["status"] == "Pending"
