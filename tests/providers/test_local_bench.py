"""The queue and its workers: who draws what, and what becomes of a picture whose worker is lost."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

import pytest

from flux2batch.errors import MachineError
from flux2batch.providers.local.bench import Bench
from flux2batch.providers.local.request import (
    CannotDraw,
    Drawn,
    Finished,
    OnStep,
    Request,
    Returned,
    State,
    Undrawn,
    WorkerLost,
)

_HARD_STOP_S = 30.0


def request(seed: int = 1, model: str = "local/a") -> Request:
    return Request(
        model=model, prompt="p", width=64, height=64, steps=2, guidance=None, seed=seed, references=(),
        output_format="png",
    )  # fmt: skip


class Drawer:
    """Keeps a book of what it drew; `does` decides what becomes of a request."""

    def __init__(self, name: str, does: Callable[[Request, OnStep], None] = lambda _request, _on_step: None) -> None:
        self.name = name
        self.loaded: str | None = None
        self.drew: list[int] = []
        self.closed = False
        self._does = does

    def load(self, model: str) -> str:
        self.loaded = model
        return f"{self.name} has {model}"

    def draw(self, asked: Request, on_step: OnStep) -> Drawn:
        self.drew.append(asked.seed)
        self.loaded = asked.model
        self._does(asked, on_step)
        return Drawn(content=f"{self.name} {asked.seed}".encode(), details={})

    def close(self) -> None:
        self.closed = True


def ended(bench: Bench, task: str) -> State | None:
    """Where the task is when it has come to an end."""
    stop_at = time.monotonic() + _HARD_STOP_S
    while time.monotonic() < stop_at:
        state = bench.state(task)
        if state is None or isinstance(state, Finished | Undrawn | Returned):
            return state
        time.sleep(0.001)  # between two looks at what another thread does
    raise AssertionError("it never came to an end")


def dies(_asked: Request, _on_step: OnStep) -> None:
    raise WorkerLost("gone")


def test_a_picture_whose_worker_is_lost_is_drawn_by_another() -> None:
    lost, whole = Drawer("lost", dies), Drawer("whole")
    bench = Bench(lambda: [lost])
    bench.make_ready(["local/a"])
    bench.hand_over("t", request())
    while bench.workers:
        time.sleep(0.001)  # until the first worker's thread has ended
    bench.add(whole, "local/a", queue.SimpleQueue())

    assert isinstance(ended(bench, "t"), Finished)
    assert bench.take("t") == b"whole 1"
    assert (lost.drew, whole.drew, lost.closed) == ([1], [1], True)


def test_a_picture_that_costs_three_workers_is_not_tried_a_fourth_time() -> None:
    bench = Bench(lambda: [Drawer(str(number), dies) for number in range(4)])
    bench.make_ready(["local/a"])

    bench.hand_over("t", request())

    state = ended(bench, "t")
    assert isinstance(state, Undrawn)
    assert "3 workers died" in state.reason
    assert bench.workers == 1


def test_a_worker_goes_on_with_the_model_that_it_has_loaded() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def waits(_asked: Request, _on_step: OnStep) -> None:
        begun.set()
        assert go_on.wait(_HARD_STOP_S)

    drawer = Drawer("one", waits)
    bench = Bench(lambda: [drawer])
    bench.make_ready(["local/a"])
    bench.hand_over("1", request(1, "local/a"))
    assert begun.wait(_HARD_STOP_S)
    bench.hand_over("2", request(2, "local/b"))
    bench.hand_over("3", request(3, "local/a"))
    go_on.set()

    for task in ("1", "2", "3"):
        ended(bench, task)
    assert drawer.drew == [1, 3, 2]


def test_what_cannot_be_drawn_fails_alone() -> None:
    def refuses(asked: Request, _on_step: OnStep) -> None:
        if asked.seed == 1:
            raise CannotDraw("too large")
        if asked.seed == 2:
            raise ZeroDivisionError("a library's own")

    bench = Bench(lambda: [Drawer("one", refuses)])
    bench.make_ready(["local/a"])
    for seed in (1, 2, 3):
        bench.hand_over(str(seed), request(seed))

    assert ended(bench, "1") == Undrawn("too large")
    assert ended(bench, "2") == Undrawn("ZeroDivisionError: a library's own")
    assert isinstance(ended(bench, "3"), Finished)


def test_a_stop_ends_the_step_and_returns_what_waits() -> None:
    begun, stopped = threading.Event(), threading.Event()

    def steps(_asked: Request, on_step: OnStep) -> None:
        on_step(1, 2)
        begun.set()
        assert stopped.wait(_HARD_STOP_S)
        on_step(2, 2)

    drawer = Drawer("one", steps)
    bench = Bench(lambda: [drawer])
    bench.make_ready(["local/a"])
    bench.hand_over("drawn", request(1))
    bench.hand_over("waits", request(2))
    assert begun.wait(_HARD_STOP_S)
    bench.stop()
    stopped.set()

    assert (ended(bench, "drawn"), ended(bench, "waits")) == (Returned(), Returned())
    assert drawer.drew == [1]
    assert bench.state("drawn") is None, "it was told once, and is forgotten"


def test_a_device_that_cannot_load_is_the_machines_trouble() -> None:
    class Broken(Drawer):
        def load(self, model: str) -> str:
            raise OSError(f"no {model}")

    with pytest.raises(MachineError, match="one: OSError: no local/a"):
        Bench(lambda: [Broken("one")]).make_ready(["local/a"])


def test_there_is_always_one_picture_waiting_for_each_worker() -> None:
    bench = Bench(lambda: [Drawer("one"), Drawer("two"), Drawer("three")])
    assert bench.at_once == 2

    bench.make_ready(["local/a"])

    assert bench.at_once == 6


def test_when_nobody_is_left_nothing_waits_for_ever() -> None:
    bench = Bench(lambda: [Drawer("lost", dies)])
    bench.make_ready(["local/a"])
    bench.hand_over("t", request())
    while bench.workers:
        time.sleep(0.001)  # until the worker's thread has ended

    bench.give_up("the fleet is gone")
    bench.hand_over("later", request())

    assert ended(bench, "t") == ended(bench, "later") == Undrawn("the fleet is gone")
