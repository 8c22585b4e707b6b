"""The workers of this process: a thread for each device, and one queue before them all."""

from __future__ import annotations

import queue
import threading
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
)

_JOIN_S = 5.0


@dataclass(slots=True)
class _Task:
    """One picture that was handed over."""

    id: str
    request: Request
    state: State | None = None  # None: it waits
    picture: bytes | None = None


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

    @property
    def at_once(self) -> int:
        """Two for each device: one that it draws, and one that waits."""
        return 2 * max(1, len(self._threads))

    def check(self, models: Sequence[str]) -> None:
        """Whoever made the drawers has looked."""

    def make_ready(self, models: Sequence[str]) -> Sequence[str]:
        """Load the models on all devices at the same time, the first model first. Raises what goes wrong with any."""
        with self._opening:
            if self._ready is not None:
                return ()
            came: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()
            for number, drawer in enumerate(self._drawers()):
                model = models[number % len(models)]
                thread = threading.Thread(
                    target=self._labour, args=(drawer, model, came), name=f"drawer-{drawer.name}", daemon=True
                )
                self._threads.append(thread)
                thread.start()
            said = [came.get() for _ in self._threads]
            faults = [each for each in said if isinstance(each, Exception)]
            if faults:
                self.close()
                raise faults[0]
            self._ready = tuple(str(each) for each in said)
            return self._ready

    def hand_over(self, task: str, request: Request) -> None:
        """Put it at the end of the queue."""
        with self._changed:
            self._tasks[task] = _Task(id=task, request=request)
            self._queue.append(self._tasks[task])
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

    def stop(self) -> None:
        """What is being drawn ends with its step, and nothing is begun."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Stop, and let go of the devices."""
        self.stop()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=_JOIN_S)

    # What a thread does.

    def _labour(self, drawer: Drawer, model: str, came: queue.SimpleQueue[str | Exception]) -> None:
        try:
            said = drawer.load(model)
        except Exception as error:
            # A report of a bug would help nobody here: what a library says of weights or a device is all there is.
            came.put(error if isinstance(error, FluxError) else MachineError(f"{drawer.name}: {_words(error)}"))
            return
        came.put(said)
        while (task := self._next(drawer.loaded)) is not None:
            state, picture = self._drawn(drawer, task)
            with self._changed:
                task.state, task.picture = state, picture
        drawer.close()

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

    def _drawn(self, drawer: Drawer, task: _Task) -> tuple[State, bytes | None]:
        def on_step(step: int, steps: int) -> None:
            if self._stopping.is_set():
                raise Stopped
            task.state = Drawing(step, steps)

        try:
            drawn = drawer.draw(task.request, on_step)
        except Stopped:
            return Returned(), None
        except (CannotDraw, FluxError) as cannot:
            return Undrawn(str(cannot)), None
        except Exception as error:
            # Whatever a library raises is the fate of this picture: the others are drawn all the same.
            return Undrawn(_words(error)), None
        return Finished(task.request, drawn.details), drawn.content


def _words(error: Exception) -> str:
    return shown(f"{type(error).__name__}: {error}")
