"""fal's platform API: prices, bills, the account, and the listing of requests that have ended."""

from __future__ import annotations

import json
import time
from typing import Any

from flux2batch.emulator.books import Books, Task
from flux2batch.emulator.fal import inputs
from flux2batch.emulator.fal.names import iso
from flux2batch.emulator.fal.rules import ENDPOINTS
from flux2batch.emulator.http import Request, Response, answer_json
from flux2batch.emulator.studio import NEVER


class Platform:
    """Answers from the books what an account may ask of itself."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def respond(self, request: Request, path: str) -> Response:
        """The answer for a path after its version."""
        if path == "/models/pricing" and request.method == "GET":
            return self._prices(request)
        if path == "/models/pricing/estimate" and request.method == "POST":
            return self._estimate(request)
        if path == "/models/billing-events" and request.method == "GET":
            return self._bills(request)
        if path == "/models/requests/by-endpoint" and request.method == "GET":
            return self._listing(request)
        if path == "/account/billing" and request.method == "GET":
            return self._account(request)
        return answer_json(404, {"error": {"type": "not_found", "message": f"{request.method} {path} not found"}})

    def _prices(self, request: Request) -> Response:
        wanted = [name for name in request.query.get("endpoint_id", "").split(",") if name] or list(ENDPOINTS)
        prices = [
            {
                "endpoint_id": name,
                "unit_price": ENDPOINTS[name].unit_price,
                "unit": ENDPOINTS[name].unit,
                "currency": "USD",
            }
            for name in wanted
            if name in ENDPOINTS
        ]
        return answer_json(200, {"prices": prices, "next_cursor": None, "has_more": False})

    def _estimate(self, request: Request) -> Response:
        try:
            body = json.loads(request.body)
            total = sum(
                ENDPOINTS[name].unit_price * float(one["unit_quantity"]) for name, one in body["endpoints"].items()
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return answer_json(400, {"error": {"type": "validation_error", "message": "Invalid request"}})
        return answer_json(200, {"estimate_type": "unit_price", "total_cost": total, "currency": "USD"})

    def _bills(self, request: Request) -> Response:
        wanted = set(filter(None, request.query.get("request_id", "").split(",")))
        now = time.time()
        events = [
            {
                "request_id": task.id,
                "endpoint_id": task.model,
                "timestamp": iso(task.ready_at),
                "output_units": task.wish["units"],
                "unit_price": ENDPOINTS[task.model].unit_price,
                "percent_discount": 0,
                "cost_subtotal": float(task.charged),
                "cost_discount": 0,
                "cost_total": float(task.charged),
                "cost_estimate_nano_usd": task.charge_nano,
            }
            for task in self._books.tasks("fal")
            if task.ready_at <= now and task.terms != "free" and task.cancelled_at is None
            if not wanted or task.id in wanted
        ]
        return answer_json(200, {"billing_events": events[: _limit(request)], "next_cursor": None, "has_more": False})

    def _account(self, request: Request) -> Response:
        """The account, and with `expand=credits` what is left on it."""
        told: dict[str, Any] = {"username": "emulated"}
        if "credits" in request.query.get("expand", ""):
            told["credits"] = {"current_balance": float(self._books.balance("fal")), "currency": "USD"}
        return answer_json(200, told)

    def _listing(self, request: Request) -> Response:
        """Ended requests, the newest first."""
        endpoint_id, now = request.query.get("endpoint_id", ""), time.time()
        start, end = _moment(request.query.get("start"), 0.0), _moment(request.query.get("end"), NEVER)
        ended = [
            task
            for task in self._books.tasks("fal")
            if task.model == endpoint_id and task.ready_at <= now and start <= task.accepted_at <= end
        ]
        ended.sort(key=lambda task: task.ready_at, reverse=True)
        cursor = request.query.get("cursor", "")
        first = int(cursor) if cursor.isdigit() else 0
        last = first + _limit(request)
        more = last < len(ended)
        payloads = "payloads" in request.query.get("expand", "")
        items = [self._listed(task, payloads=payloads) for task in ended[first:last]]
        return answer_json(200, {"items": items, "next_cursor": str(last) if more else None, "has_more": more})

    def _listed(self, task: Task, *, payloads: bool) -> dict[str, Any]:
        told = {
            "request_id": task.id,
            "endpoint_id": task.model,
            "sent_at": iso(task.accepted_at),
            "started_at": iso(task.started_at),
            "ended_at": iso(task.ready_at),
            "status_code": 200 if task.refusal is None else task.refusal["status"],
            "duration": round(task.ready_at - task.started_at, 6),
        }
        if payloads:
            told["json_input"] = inputs.whole(task.wish["input"], self._books)
        return told


def _limit(request: Request) -> int:
    told = request.query.get("limit", "")
    return min(max(int(told), 1), 100) if told.isdigit() else 50


def _moment(text: str | None, otherwise: float) -> float:
    from datetime import UTC, datetime

    if not text:
        return otherwise
    try:
        read = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
    except ValueError:
        return otherwise
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
