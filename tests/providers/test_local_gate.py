"""Who may pass the gate between drawing and loading."""

from __future__ import annotations

import threading

from flux2batch.providers.local.gate import Gate

_LONG_S = 20.0  # a hard stop: nothing here waits for a while


def started(work: object) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)  # type: ignore[arg-type]  # a function without arguments
    thread.start()
    return thread


def test_two_draw_at_the_same_time() -> None:
    gate, together = Gate(), threading.Barrier(2, timeout=_LONG_S)

    def draw() -> None:
        with gate.drawing():
            together.wait()

    threads = [started(draw), started(draw)]
    for thread in threads:
        thread.join(_LONG_S)

    assert not together.broken


def test_a_load_waits_for_who_draws_and_goes_before_who_comes_later() -> None:
    gate, order = Gate(), []
    drawn, wanted = threading.Event(), threading.Event()

    def first() -> None:
        with gate.drawing():
            drawn.set()
            assert wanted.wait(_LONG_S)
            order.append("drawn")

    def load() -> None:
        with gate.loading():
            order.append("loaded")

    def later() -> None:
        with gate.drawing():
            order.append("drawn later")

    threads = [started(first)]
    assert drawn.wait(_LONG_S)
    threads.append(started(load))
    while not gate._wanting:  # the load stands at the gate: nothing else shows it
        threading.Event().wait(0.001)
    threads.append(started(later))
    wanted.set()
    for thread in threads:
        thread.join(_LONG_S)

    assert order == ["drawn", "loaded", "drawn later"]


def test_what_is_raised_inside_leaves_the_gate_open() -> None:
    gate = Gate()
    for enter in (gate.loading, gate.drawing, gate.loading):
        try:
            with enter():
                raise ValueError
        except ValueError:
            continue

    with gate.drawing():
        pass
