"""What fal says when something is wrong: at the submit, as the result, or of the key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flux2batch.emulator.faults import Fault, named
from flux2batch.emulator.http import Response, answer_json
from flux2batch.emulator.references import Unreadable
from flux2batch.emulator.studio import Asked, retry_after

EXHAUSTED = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
_FLAGGED = "The content could not be processed because it contained material flagged by a content checker."


def wrong_method(allowed: str) -> Response:
    """405, with the method that would do."""
    return answer_json(405, {"detail": "Method Not Allowed"}, (("Allow", allowed),))


def unknown_key(told: str, what: str) -> Response:
    """401, in the words for what stood in the Authorization header."""
    if not told:
        detail = f'Cannot access application "{what}". Authentication is required to access this application.'
    elif not re.fullmatch(r"Key [^:\s]+:[^:\s]+", told):
        detail = "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'."
    else:
        detail = "No user found for Key ID and Secret"
    return answer_json(401, {"detail": detail})


def on_demand(fault: Fault) -> Response:
    """The answer of a fault that keeps a request from being made."""
    if fault.status == 422:
        told = {"loc": ["body", "prompt"], "msg": "refused on demand", "type": "value_error"}
        return answer_json(422, {"detail": [told]})
    details = {
        401: ("No user found for Key ID and Secret", None),
        402: (EXHAUSTED, None),
        403: (EXHAUSTED, None),
        429: ("Concurrent requests limit reached", "concurrent_requests_limit"),
        500: ("Internal server error", "internal_error"),
        502: ("Runner response was incomplete", "runner_incomplete_response"),
        503: ("Failed to schedule a runner", "runner_scheduling_failure"),
        504: ("Request timed out", "request_timeout"),
    }
    detail, kind = details.get(fault.status, ("Refused on demand", "bad_request"))
    told_kind = (("X-Fal-Error-Type", kind),) if kind else ()
    body = {"detail": detail} if kind is None else {"detail": detail, "error_type": kind}
    return answer_json(fault.status, body, (*told_kind, *retry_after(fault.argument)))


def at_run_time(asked: Asked, prompt: object) -> dict[str, Any] | None:
    """What a fault lets the runner find wrong: it says so only as the result."""
    if named(asked.faults, "request-moderated") or named(asked.faults, "content-moderated"):
        kind = "content_policy_violation"
        told = {
            "loc": ["body", "prompt"],
            "msg": _FLAGGED,
            "type": kind,
            "url": f"https://docs.fal.ai/errors/#{kind}",
            "input": prompt,
        }
        return {"status": 422, "body": {"detail": [told]}}
    error = named(asked.faults, "error")
    if error is not None:
        status = int(error.argument) if error.argument.isdigit() else 500
        gateway = {500: "runner_server_error", 503: "runner_connection_error", 504: "startup_timeout"}.get(status)
        message = "Generation failed" if error.argument.isdigit() else error.argument
        return {"status": status, "body": {"detail": message, "error_type": gateway or "internal_error"}}
    if named(asked.faults, "failed"):
        return {"status": 500, "body": {"detail": "Internal Server Error"}}
    return None


def bad_reference(number: int, reference: Unreadable) -> dict[str, Any]:
    """What the result says of a reference that cannot be read."""
    kinds = {
        "load": ("image_load_error", "Failed to load the image. Please ensure the image file is valid."),
        "download": ("file_download_error", "Failed to download the file. Please check if the URL is accessible."),
        "large": ("image_too_large", "The image dimensions or size exceed what is allowed."),
        "small": ("image_too_small", "The image dimensions are smaller than the minimum."),
    }
    kind, message = kinds[reference.kind]
    told = {
        "loc": ["body", "image_urls", number],
        "msg": message,
        "type": kind,
        "url": f"https://docs.fal.ai/errors/#{kind}",
    }
    return {"status": 422, "body": {"detail": [told]}}


def summary(refusal: Mapping[str, Any]) -> str:
    """The refusal as a status tells it."""
    detail = refusal["body"].get("detail")
    return detail if isinstance(detail, str) else f"Invalid status code: {refusal['status']}"


def kind(refusal: Mapping[str, Any]) -> str:
    """The refusal's name."""
    detail = refusal["body"].get("detail")
    if isinstance(detail, list) and detail:
        return str(detail[0].get("type"))
    return str(refusal["body"].get("error_type", "internal_server_error"))
