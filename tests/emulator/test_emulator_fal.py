"""The emulator as fal: a queue that takes anything, its bodies key for key, its files, prices and callbacks."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
from typing import Any

import pytest
from PIL import Image
from receiving import Hook, picture

URLS = ["response_url", "status_url", "cancel_url"]


def keys(answer: Any) -> list[str]:
    return list(answer.json())


def done(visitor: Any, task: dict[str, Any]) -> Any:
    """The result once it is there."""
    look = lambda: visitor.get(task["status_url"], headers=visitor.fal_headers)
    visitor.until(look, lambda answer: answer.json()["status"] == "COMPLETED")
    return visitor.get(task["response_url"], headers=visitor.fal_headers)


def test_a_request_goes_through_the_queue_with_fals_bodies_and_statuses(visit: Any) -> None:
    visitor = visit(latency="0.5", concurrency=1)
    first, second = visitor.fal(), visitor.fal()
    ask = lambda task, query="": visitor.get(task.json()["status_url"] + query, headers=visitor.fal_headers)

    assert first.status_code == 200
    assert keys(first) == ["status", "request_id", *URLS, "queue_position"]
    assert (first.json()["status"], first.headers["x-fal-request-id"]) == ("IN_QUEUE", first.json()["request_id"])

    running, waiting = ask(first, "?logs=1"), ask(second)
    assert (running.status_code, running.json()["status"]) == (202, "IN_PROGRESS")
    assert set(running.json()["logs"][0]) == {"message", "level", "source", "timestamp"}
    assert (waiting.status_code, waiting.json()["status"], waiting.json()["queue_position"]) == (202, "IN_QUEUE", 0)

    early = visitor.get(first.json()["response_url"], headers=visitor.fal_headers)
    assert (early.status_code, early.json()) == (400, {"detail": "Request is still in progress"})

    result = done(visitor, second.json())
    finished = ask(second)
    assert (finished.status_code, finished.json()["logs"]) == (200, None)
    assert "inference_time" in finished.json()["metrics"]
    assert keys(result) == ["images", "timings", "seed", "has_nsfw_concepts", "prompt"]
    assert {"x-fal-request-id", "x-fal-billable-units", "x-fal-served-from"} <= set(result.headers)


def test_the_larger_models_answer_with_images_and_seed_alone(visit: Any) -> None:
    visitor = visit()

    result = done(visitor, visitor.fal("fal-ai/flux-2-pro", seed=5).json())

    assert keys(result) == ["images", "seed"]
    assert list(result.json()["images"][0]) == ["url", "width", "height", "content_type"]
    assert (result.json()["seed"], result.json()["images"][0]["content_type"]) == (5, "image/jpeg")


@pytest.mark.parametrize(
    ("endpoint", "body", "loc", "kind"),
    [
        ("fal-ai/flux-2", {"prompt": None}, ["prompt"], "type_error.none.not_allowed"),
        ("fal-ai/flux-2", {"num_inference_steps": 51}, ["num_inference_steps"], "value_error.number.not_le"),
        ("fal-ai/flux-2", {"num_images": 5}, ["num_images"], "value_error.number.not_le"),
        ("fal-ai/flux-2", {"guidance_scale": -1}, ["guidance_scale"], "value_error.number.not_ge"),
        (
            "fal-ai/flux-2",
            {"image_size": {"width": 256, "height": 512}},
            ["image_size", "width"],
            "value_error.number.not_ge",
        ),
        ("fal-ai/flux-2", {"image_size": "large"}, ["image_size"], "value_error.const"),
        ("fal-ai/flux-2", {"acceleration": "max"}, ["acceleration"], "value_error.const"),
        ("fal-ai/flux-2/edit", {}, ["image_urls"], "value_error.missing"),
        ("fal-ai/flux-2/edit", {"image_urls": "x"}, ["image_urls"], "type_error.list"),
        ("fal-ai/flux-2-pro", {"safety_tolerance": "6"}, ["safety_tolerance"], "value_error.const"),
        ("fal-ai/flux-2-pro", {"output_format": "webp"}, ["output_format"], "value_error.const"),
    ],
)
def test_the_queue_takes_a_wrong_input_and_says_so_as_the_result(
    visit: Any, endpoint: str, body: dict[str, Any], loc: list[str], kind: str
) -> None:
    visitor = visit(latency="5")

    task = visitor.fal(endpoint, **body)
    result = done(visitor, task.json())
    status = visitor.get(task.json()["status_url"], headers=visitor.fal_headers).json()

    assert (task.status_code, result.status_code) == (200, 422)
    (detail,) = result.json()["detail"]
    assert (detail["loc"], detail["type"]) == (["body", *loc], kind)
    assert result.headers["x-fal-billable-units"] == "0"
    assert (status["status"], status["metrics"]) == ("COMPLETED", {})
    assert status["error"]
    assert visitor.emulator.books.charged == 0


def test_unknown_inputs_and_a_fifth_reference_are_dropped_without_a_word(visit: Any) -> None:
    visitor = visit()
    urls = [f"data:image/png;base64,{picture(100 + number, 64)}" for number in range(5)]

    result = done(visitor, visitor.fal("fal-ai/flux-2/edit", image_urls=urls, frobnicate=1).json())

    assert result.status_code == 200
    assert len(visitor.emulator.books.tasks()[0].wish["references"]) == 4


@pytest.mark.parametrize(
    "form",
    [
        "/fal-ai/flux-2/requests/{id}/status/",
        "/fal-ai/flux-2/flash/requests/{id}/status?logs=true",
        "/fal-ai/flux-2/requests/{id}/status?logs=0",
    ],
)
def test_every_form_of_the_status_address_that_clients_use_is_known(visit: Any, form: str) -> None:
    visitor = visit()
    task = visitor.fal("fal-ai/flux-2/flash").json()

    made = visitor.get(visitor.emulator.fal_base_url + form.format(id=task["request_id"]), headers=visitor.fal_headers)

    assert (made.status_code, made.json()["status"]) == (200, "COMPLETED")


def test_the_result_is_also_at_response_and_below_the_whole_endpoint(visit: Any) -> None:
    visitor = visit()
    task = visitor.fal("fal-ai/flux-2/flash").json()
    done(visitor, task)

    for form in (
        "/fal-ai/flux-2/requests/{}/response",
        "/fal-ai/flux-2/flash/requests/{}",
        "/fal-ai/flux-2/requests/{}/",
    ):
        url = visitor.emulator.fal_base_url + form.format(task["request_id"])
        assert visitor.get(url, headers=visitor.fal_headers).json()["images"]


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        (None, 'Cannot access application "fal-ai/flux-2". Authentication is required to access this application.'),
        ("Key nonsense", "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'."),
        ("Key a:b", "No user found for Key ID and Secret"),
    ],
)
def test_a_wrong_key_gets_401_in_fals_words(visit: Any, header: str | None, detail: str) -> None:
    visitor = visit()
    headers = {} if header is None else {"Authorization": header}

    made = visitor.ask("POST", f"{visitor.emulator.fal_base_url}/fal-ai/flux-2", json={"prompt": "x"}, headers=headers)

    assert (made.status_code, made.json()) == (401, {"detail": detail})


def test_unknown_requests_and_endpoints_are_not_found(visit: Any) -> None:
    visitor = visit()
    unknown = visitor.get(
        f"{visitor.emulator.fal_base_url}/fal-ai/flux-2/requests/x/status", headers=visitor.fal_headers
    )

    assert (unknown.status_code, unknown.json()) == (404, {"status": "NOT_FOUND"})
    assert visitor.fal("fal-ai/flux-9").status_code == 404


def test_a_waiting_request_can_be_cancelled_and_those_behind_move_up(visit: Any) -> None:
    visitor = visit(latency="30", concurrency=1)
    first, second, third = (visitor.fal(seed=seed).json() for seed in range(3))
    cancel = lambda task: visitor.ask("PUT", task["cancel_url"], headers=visitor.fal_headers)
    status = lambda task: visitor.get(task["status_url"], headers=visitor.fal_headers).json()
    assert status(third)["queue_position"] == 1

    asked, again = cancel(second), cancel(second)

    assert (asked.status_code, asked.json()) == (202, {"status": "CANCELLATION_REQUESTED"})
    assert (again.status_code, again.json()) == (400, {"status": "ALREADY_COMPLETED"})
    assert status(third)["queue_position"] == 0
    assert status(second)["status"] == "COMPLETED"
    assert visitor.get(second["response_url"], headers=visitor.fal_headers).status_code == 499
    assert cancel(first).status_code == 202
    ready = {task.id: task.ready_at for task in visitor.emulator.books.tasks()}
    assert ready[third["request_id"]] - ready[first["request_id"]] == pytest.approx(30, abs=0.1)


def test_progress_can_be_followed_as_a_stream_of_events(visit: Any) -> None:
    visitor = visit(latency="0.3")
    task = visitor.fal().json()

    made = visitor.get(task["status_url"] + "/stream?logs=1", headers=visitor.fal_headers)

    events = [json.loads(line[6:]) for line in made.text.splitlines() if line.startswith("data: ")]
    assert made.headers["Content-Type"].startswith("text/event-stream")
    assert [event["status"] for event in events] == ["IN_PROGRESS", "COMPLETED"]


def test_several_pictures_come_from_one_request_and_differ(visit: Any) -> None:
    visitor = visit()

    images = done(visitor, visitor.fal(num_images=3).json()).json()["images"]
    contents = {visitor.get(image["url"]).content for image in images}

    assert len(contents) == 3
    assert {Image.open(io.BytesIO(content)).size for content in contents} == {(512, 512)}


def test_sync_mode_brings_the_picture_itself(visit: Any) -> None:
    visitor = visit()

    (image,) = done(visitor, visitor.fal(sync_mode=True).json()).json()["images"]

    content = base64.b64decode(image["url"].removeprefix("data:image/png;base64,"))
    assert Image.open(io.BytesIO(content)).size == (512, 512)


def test_fal_run_answers_at_once_and_refuses_more_than_it_may_run(visit: Any) -> None:
    visitor = visit(concurrency=1)
    answer = visitor.fal(at="fal-run")
    assert (answer.status_code, len(answer.json()["images"])) == (200, 1)

    busy = visit(latency="30", concurrency=1)
    busy.fal()
    refused = busy.fal(at="fal-run")
    assert (refused.status_code, refused.json()["error_type"]) == (429, "concurrent_requests_limit")


@pytest.mark.parametrize(
    ("endpoint", "body", "units", "price"),
    [
        ("fal-ai/flux-2", {"image_size": "square_hd"}, 1.0, 0.012),
        ("fal-ai/flux-2/flash", {"image_size": "square_hd", "num_images": 2}, 2.0, 0.010),
        ("fal-ai/flux-2-pro", {"image_size": {"width": 2048, "height": 1024}}, 4.5, 0.045),
        ("fal-ai/flux-2-max", {"image_size": "square_hd"}, 7.0, 0.07),
    ],
)
def test_units_times_price_is_what_the_books_charge(
    visit: Any, endpoint: str, body: dict[str, Any], units: float, price: float
) -> None:
    visitor = visit()
    task = visitor.fal(endpoint, **body).json()

    told = float(done(visitor, task).headers["x-fal-billable-units"])
    base = f"{visitor.emulator.fal_base_url}/v1/models"
    (row,) = visitor.get(f"{base}/pricing?endpoint_id={endpoint}", headers=visitor.fal_headers).json()["prices"]
    (bill,) = visitor.get(f"{base}/billing-events?request_id={task['request_id']}", headers=visitor.fal_headers).json()[
        "billing_events"
    ]
    estimate = visitor.ask(
        "POST",
        f"{base}/pricing/estimate",
        json={"estimate_type": "unit_price", "endpoints": {endpoint: {"unit_quantity": units}}},
        headers=visitor.fal_headers,
    ).json()

    assert told == units
    assert told * row["unit_price"] == pytest.approx(price)
    assert bill["cost_total"] == pytest.approx(price)
    assert bill["cost_estimate_nano_usd"] == pytest.approx(price * 1e9)
    assert estimate["total_cost"] == pytest.approx(price)
    assert float(visitor.emulator.books.charged) == pytest.approx(price)


def test_the_listing_holds_ended_requests_with_their_whole_input(visit: Any) -> None:
    visitor = visit()
    body = {"prompt": "a fox", "image_urls": [f"data:image/png;base64,{picture(900, 700)}"], "seed": 3}
    big = [f"data:image/png;base64,{base64.b64encode(noise()).decode()}"]
    tasks = [visitor.fal("fal-ai/flux-2/edit", **{**body, "image_urls": big, "seed": seed}).json() for seed in (3, 4)]
    done(visitor, tasks[-1])
    url = (
        f"{visitor.emulator.fal_base_url}/v1/models/requests/by-endpoint?endpoint_id=fal-ai/flux-2/edit&expand=payloads"
    )

    page = visitor.get(f"{url}&limit=1", headers=visitor.fal_headers).json()
    rest = visitor.get(f"{url}&limit=1&cursor={page['next_cursor']}", headers=visitor.fal_headers).json()
    none = visitor.get(f"{url}&start=2099-01-01T00:00:00Z", headers=visitor.fal_headers).json()

    assert (page["has_more"], rest["has_more"], none["items"]) == (True, False, [])
    (item,) = page["items"]
    assert item["json_input"]["image_urls"] == big
    assert {item["request_id"], rest["items"][0]["request_id"]} == {task["request_id"] for task in tasks}


def noise() -> bytes:
    sink = io.BytesIO()
    Image.effect_noise((200, 200), 80).convert("RGB").save(sink, "PNG")
    return sink.getvalue()


def test_files_are_uploaded_both_ways_and_serve_as_references(visit: Any) -> None:
    visitor = visit()
    base, content = visitor.emulator.fal_base_url, base64.b64decode(picture())

    started = visitor.ask(
        "POST",
        f"{base}/storage/upload/initiate?storage_type=fal-cdn-v3",
        json={"content_type": "image/png", "file_name": "cat 1.png"},
        headers=visitor.fal_headers,
    ).json()
    put = visitor.ask("PUT", started["upload_url"], data=content, headers={"Content-Type": "image/png"})
    token = visitor.ask(
        "POST", f"{base}/storage/auth/token?storage_type=fal-cdn-v3", json={}, headers=visitor.fal_headers
    ).json()
    sent = visitor.ask(
        "POST",
        f"{token['base_url']}/files/upload",
        data=content,
        headers={
            "Authorization": f"{token['token_type']} {token['token']}",
            "X-Fal-File-Name": "b.png",
            "Content-Type": "image/png",
        },
    ).json()

    assert (put.status_code, put.content) == (200, b"")
    for url in (started["file_url"], sent["access_url"]):
        assert visitor.get(url).content == content
    result = done(visitor, visitor.fal("fal-ai/flux-2/edit", image_urls=[sent["access_url"]]).json())
    assert result.status_code == 200
    assert visitor.ask("PUT", started["file_url"], data=b"x").status_code == 403


def test_a_client_behind_a_proxy_header_reaches_the_right_door(visit: Any) -> None:
    visitor = visit()
    headers = {**visitor.fal_headers, "x-fal-target-url": "https://fal.run/fal-ai/flux-2"}

    made = visitor.ask("POST", visitor.emulator.fal_base_url + "/", json={"prompt": "x"}, headers=headers)

    assert len(made.json()["images"]) == 1


def test_a_callback_is_signed_with_a_key_from_the_published_set(visit: Any) -> None:
    from flux2batch.emulator import ed25519

    visitor, hook = visit(), Hook()
    try:
        task = visitor.fal(query=f"?fal_webhook={hook.url}").json()
        visitor.until(lambda: len(hook.heard), lambda count: count > 0)
    finally:
        hook.close()
    (jwk,) = visitor.get(f"{visitor.emulator.fal_base_url}/.well-known/jwks.json").json()["keys"]

    ((headers, payload),) = hook.heard
    name = "x-fal-webhook-"
    signed = [headers[name + part] for part in ("request-id", "user-id", "timestamp")]
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    message = "\n".join([*signed, hashlib.sha256(body).hexdigest()]).encode()
    public = base64.urlsafe_b64decode(jwk["x"] + "==")
    assert ed25519.verify(public, message, bytes.fromhex(headers[name + "signature"]))
    assert not ed25519.verify(public, message + b"x", bytes.fromhex(headers[name + "signature"]))
    assert abs(int(headers[name + "timestamp"]) - time.time()) < 300
    assert (payload["request_id"], payload["status"]) == (task["request_id"], "OK")


def test_refused_content_is_a_result_with_422_and_costs_nothing(visit: Any) -> None:
    visitor = visit()

    result = done(visitor, visitor.fal(prompt="a boat [emulate content-moderated]").json())

    assert result.status_code == 422
    assert result.json()["detail"][0]["type"] == "content_policy_violation"
    assert visitor.emulator.books.charged == 0


def test_an_empty_account_is_refused_with_403(visit: Any) -> None:
    made = visit(balance_usd=0).fal()

    assert (made.status_code, made.json()["detail"].split(".")[0]) == (403, "User is locked")


@pytest.mark.parametrize(
    ("seed", "public", "message", "signature"),
    [  # RFC 8032, section 7.1, tests 1 and 3
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ],
)
def test_signatures_are_those_of_the_standard(seed: str, public: str, message: str, signature: str) -> None:
    from flux2batch.emulator import ed25519

    assert ed25519.public_key(bytes.fromhex(seed)).hex() == public
    assert ed25519.sign(bytes.fromhex(seed), bytes.fromhex(message)).hex() == signature
    assert ed25519.verify(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))
