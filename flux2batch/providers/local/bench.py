"""The workers: a thread for each device, here or elsewhere, and one queue before them all."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from flux2batch.errors import FluxError, MachineError
from flux2batch.providers.answers import shown
from flux2batch.providers.local.request import (
    CannotDraw,
    Drawer,
    Drawers,
    Drawing,
    Finished,
    Request,
    Returned,
    State,
    Stopped,
    Undrawn,
    Waiting,
    WorkerLost,
)

_JOIN_S = 5.0
_MOST_LOSSES = 3  # of workers by one picture, before it is the picture that is to blame


@dataclass(slots=True)
class _Task:
    """One picture that was handed over."""

    id: str
    request: Request
    state: State | None = None  # None: it waits
    picture: bytes | None = None
    losses: int = 0  # workers that died with it in hand


class Bench:
    """Draws what it is handed, in the order in which it came; a device goes on with the model that it has loaded."""

    def __init__(self, drawers: Drawers) -> None:
        self._drawers = drawers
        self._threads: list[threading.Thread] = []
        self._tasks: dict[str, _Task] = {}
        self._queue: list[_Task] = []
        self._changed = threading.Condition()
        self._opening = threading.Lock()
        self._stopping = threading.Event()
        self._ready: tuple[str, ...] | None = None
        self._broken: str | None = None  # why nothing will be drawn any more

    @property
    def at_once(self) -> int:
        """Two for each device: one that it draws, and one that waits."""
        return 2 * max(1, len(self._threads))

    @property
    def workers(self) -> int:
        """How many are there by now."""
        return len(self._threads)

    def check(self, models: Sequence[str]) -> None:
        """Whoever made the drawers has looked."""

    def make_ready(self, models: Sequence[str]) -> Sequence[str]:
        """Load the models on all devices at the same time, the first model first. Raises what goes wrong with any."""
        with self._opening:
            if self._ready is not None:
                return ()
            came: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()
            begun = [
                self.add(drawer, models[number % len(models)], came) for number, drawer in enumerate(self._drawers())
            ]
            said = [came.get() for _ in begun]
            faults = [each for each in said if isinstance(each, Exception)]
            if faults:
                self.close()
                raise faults[0]
            self._ready = tuple(str(each) for each in said)
            return self._ready

    def add(self, drawer: Drawer, model: str, came: queue.SimpleQueue[str | Exception]) -> threading.Thread:
        """One worker more. What it says when it is ready, or what keeps it from that, comes in `came`."""
        thread = threading.Thread(
            target=self._labour, args=(drawer, model, came), name=f"drawer-{drawer.name}", daemon=True
        )
        with self._changed:
            self._threads.append(thread)
        thread.start()
        return thread

    def hand_over(self, task: str, request: Request) -> None:
        """Put it at the end of the queue."""
        with self._changed:
            new = self._tasks[task] = _Task(id=task, request=request)
            if self._broken is not None:
                new.state = Undrawn(self._broken)
                return
            self._queue.append(new)
            self._changed.notify()

    def state(self, task: str) -> State | None:
        """Where it is. What has come to nothing is told once, and forgotten."""
        with self._changed:
            found = self._tasks.get(task)
            if found is None:
                return None
            if self._stopping.is_set() and found.state is None:
                self._queue.remove(found)
                found.state = Returned()
            if isinstance(found.state, Undrawn | Returned):
                del self._tasks[task]
            return found.state if found.state is not None else Waiting(self._queue.index(found))

    def take(self, task: str) -> bytes | None:
        """Its picture, once."""
        with self._changed:
            found = self._tasks.pop(task, None)
            return found.picture if found else None

    def give_up(self, why: str) -> None:
        """There is no worker left, and none will come: what waits is not drawn, and neither is what is handed over."""
        with self._changed:
            self._broken = why
            for task in self._queue:
                task.state = Undrawn(why)
            self._queue.clear()

    def stop(self) -> None:
        """What is being drawn ends with its step, and nothing is begun."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Stop, and let go of the devices."""
        self.stop()
        until = time.monotonic() + _JOIN_S
        for thread in list(self._threads):
            if thread is not threading.current_thread():
                thread.join(timeout=max(0.0, until - time.monotonic()))

    # What a thread does.

    def _labour(self, drawer: Drawer, model: str, came: queue.SimpleQueue[str | Exception]) -> None:
        try:
            came.put(self._loaded(drawer, model))
            if drawer.loaded is None:
                return
            while (task := self._next(drawer.loaded)) is not None:
                try:
                    state, picture = self._drawn(drawer, task)
                except WorkerLost:
                    self._draw_elsewhere(task)
                    return
                with self._changed:
                    task.state, task.picture = state, picture
        finally:
            with self._changed:
                self._threads.remove(threading.current_thread())
            drawer.close()

    def _loaded(self, drawer: Drawer, model: str) -> str | Exception:
        try:
            return drawer.load(model)
        except FluxError as error:
            return error
        except Exception as error:
            # A report of a bug would help nobody here: what a library says of weights or a device is all there is.
            return MachineError(f"{drawer.name}: {_words(error)}")

    def _next(self, loaded: str | None) -> _Task | None:
        """The next task, of the loaded model if there is one; None when the bench closes."""
        with self._changed:
            while not self._queue and not self._stopping.is_set():
                self._changed.wait()
            if self._stopping.is_set():
                return None
            fitting = (task for task in self._queue if task.request.model == loaded)
            task = next(fitting, self._queue[0])
            self._queue.remove(task)
            task.state = Drawing(0, task.request.steps)
            return task

    def _draw_elsewhere(self, task: _Task) -> None:
        """It is the next one that is begun, unless it has cost too many workers."""
        task.losses += 1
        with self._changed:
            if task.losses >= _MOST_LOSSES:
                task.state = Undrawn(f"{task.losses} workers died while they drew it")
                return
            if self._broken is not None:
                task.state = Undrawn(self._broken)
                return
            task.state = None
            self._queue.insert(0, task)
            self._changed.notify()

    def _drawn(self, drawer: Drawer, task: _Task) -> tuple[State, bytes | None]:
        def on_step(step: int, steps: int) -> None:
            if self._stopping.is_set():
                raise Stopped
            task.state = Drawing(step, steps)

        try:
            drawn = drawer.draw(task.request, on_step)
        except Stopped:
            return Returned(), None
        except WorkerLost:
            raise
        except (CannotDraw, FluxError) as cannot:
            return Undrawn(str(cannot)), None
        except Exception as error:
            # Whatever a library raises is the fate of this picture: the others are drawn all the same.
            return Undrawn(_words(error)), None
        return Finished(task.request, drawn.details), drawn.content


def _words(error: Exception) -> str:
    return shown(f"{type(error).__name__}: {error}")
