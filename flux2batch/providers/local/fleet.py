"""A fleet: workers on the machines of a Ray cluster, each with a pipeline, before the one queue of this process.

The journal and the truth stay here. A worker that dies has its picture drawn by another; one that joins gets work.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flux2batch.errors import InvalidInput, MachineError
from flux2batch.planning.configuration_local import Local
from flux2batch.planning.models.catalogue import Entry
from flux2batch.providers.answers import shown
from flux2batch.providers.local.bench import Bench
from flux2batch.providers.local.devices import threads_of
from flux2batch.providers.local.fleet_worker import FleetWorker
from flux2batch.providers.local.request import Drawer, Drawn, OnStep, Request, State, Stopped, WorkerLost
from flux2batch.reading.problems import error

_SLICE_S = 0.2  # how long an answer is waited for before progress is asked for, and a stop heard
_LOOK_S = 2.0  # between two looks at the size of the cluster
_ALONE_S = 120.0  # without any worker, and the fleet is given up
_FIRST_S = 600.0  # until the first worker has loaded its model
_MOST_FAILURES = 5  # workers in a row that could not load: the sixth would fare no better
_KEPT_BYTES = 1024**3  # references in the object store
Make = Callable[[], Drawer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the fleet is."""

    cluster: str | None  # None: on this machine, started for this run
    workers: int | None  # None: as many as there are GPUs, or machines

    @classmethod
    def of(cls, written: str) -> Address:
        """Read `local`, `local:4`, `auto`, `host:6379` or `ray://host:10001`. Raises InvalidInput (FB022)."""
        head, _, count = written.partition(":")
        if head != "local":
            return cls(cluster=written, workers=None)
        if count and not (count.isdecimal() and int(count)):
            message = f"'{written}' is no fleet: behind local: stands the number of workers"
            raise InvalidInput([error("FB022", message, where=None, help="local:4, for four workers")])
        return cls(cluster=None, workers=int(count) if count else None)


class Fleet:
    """A bench whose workers are elsewhere, and come and go."""

    def __init__(self, wish: Local, *, entries: Mapping[str, Entry], make: Make | None = None) -> None:
        self._address = Address.of(wish.fleet or "local")
        self._cpus = threads_of(wish.device)  # of each worker; None: the wish is no CPU
        self._make = make or partial(_pipeline_there, wish, dict(entries))
        self._store = _Store()
        self._bench = Bench(self._first_drawers)
        self._came: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()  # of those that join later
        self._model = ""
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep_up, name="fleet-keeper", daemon=True)

    @property
    def at_once(self) -> int:
        """Two for each worker that is there."""
        return self._bench.at_once

    def check(self, models: Sequence[str]) -> None:
        """Whoever opened it has looked."""

    def make_ready(self, models: Sequence[str]) -> Sequence[str]:
        """Reach the cluster, start the workers that it has room for, and let them load."""
        self._model = self._model or models[0]
        said = self._bench.make_ready(models)
        if said:
            self._keeper.start()
        return said

    def hand_over(self, task: str, request: Request) -> None:
        """Put it at the end of the queue."""
        self._bench.hand_over(task, request)

    def state(self, task: str) -> State | None:
        """Where the task is; None where nobody knows it."""
        return self._bench.state(task)

    def take(self, task: str) -> bytes | None:
        """The picture, which is forgotten here."""
        return self._bench.take(task)

    def stop(self) -> None:
        """Give back what is not drawn, at the next step."""
        self._closing.set()
        self._bench.stop()

    def close(self) -> None:
        """End the workers, and leave the cluster."""
        self.stop()
        self._bench.close()
        import ray

        with suppress(Exception):  # the cluster may be gone already, in which case there is nothing to leave
            ray.shutdown()

    # Workers.

    def _first_drawers(self) -> Sequence[Drawer]:
        _join(self._address, cpus=self._cpus or 1)
        room, gpus = self._room(), _gpus()
        if not room:
            raise MachineError("The fleet has no machine to draw on.")
        if gpus and self._cpus is None and room > gpus:
            message = f"{room} workers are asked for, and there are {gpus} GPUs: a worker has one to itself"
            raise InvalidInput([error("FB027", message, where=None, help=f"--fleet local:{gpus}, or --device cpu")])
        return [self._drawer(number) for number in range(room)]

    def _drawer(self, number: int) -> Drawer:
        gpus = 0 if self._cpus else min(1, _gpus())
        return RemoteDrawer(f"worker {number + 1}", self._make, self._store, cpus=self._cpus or 1, gpus=gpus)

    def _room(self) -> int:
        """How many workers the cluster has room for, by now."""
        import ray

        if self._address.workers is not None:
            return self._address.workers
        return (0 if self._cpus else _gpus()) or sum(bool(node["Alive"]) for node in ray.nodes())

    def _keep_up(self) -> None:
        """Put a new worker in the place of one that died, and one more where the cluster has grown."""
        seen_s, number, failures = time.monotonic(), self._bench.workers, 0
        why = "no worker of the fleet is left"
        while not self._closing.wait(_LOOK_S):
            for came in self._news():
                failures = failures + 1 if isinstance(came, Exception) else 0
                why = str(came) if isinstance(came, Exception) else why
            try:
                missing = self._room() - self._bench.workers if failures < _MOST_FAILURES else 0
                for _ in range(missing):
                    number += 1
                    self._bench.add(self._drawer(number), self._model, self._came)
            except Exception as gone:
                # Ray has errors of many kinds for a cluster that does not answer; they mean the same here.
                why = f"the fleet does not answer: {shown(str(gone))}"
            now_s = time.monotonic()
            if self._bench.workers:
                seen_s = now_s
            elif now_s - seen_s > _ALONE_S:
                self._bench.give_up(why)
                return

    def _news(self) -> Iterator[str | Exception]:
        """What workers said that joined since."""
        with suppress(queue.Empty):
            while True:
                yield self._came.get_nowait()


class RemoteDrawer:
    """One worker of the fleet, as the bench sees it."""

    def __init__(self, name: str, make: Make, store: _Store, *, cpus: int, gpus: int) -> None:
        self.name = name
        self.loaded: str | None = None
        self._store = store
        self._actor = _actor(make, cpus, gpus)

    def load(self, model: str) -> str:
        """Wait for the cluster to start it, and for its model."""
        import ray

        try:
            said = str(ray.get(self._actor.load.remote(model), timeout=_FIRST_S))
        except ray.exceptions.GetTimeoutError as late:
            raise MachineError(f"{self.name} was not ready in {_FIRST_S / 60:.0f} minutes") from late
        except ray.exceptions.RayActorError as died:
            raise MachineError(f"{self.name} died while it loaded {model}: {shown(str(died))}") from died
        except ray.exceptions.RayTaskError as failed:
            raise MachineError(f"{self.name}: {shown(str(failed.cause))}") from failed
        self.loaded = model
        return f"{self.name}: {said}"

    def draw(self, request: Request, on_step: OnStep) -> Drawn:
        """Have it drawn there. Raises as a pipeline does, and WorkerLost."""
        import ray

        try:
            references = [self._store.put(content) for content in request.references]
            drawing = self._actor.draw.remote(replace(request, references=()), *references)
            self._wait(drawing, on_step)
            drawn = ray.get(drawing)
        except ray.exceptions.RayActorError as died:
            raise WorkerLost(shown(str(died))) from died
        except ray.exceptions.RayTaskError as failed:
            raise failed.cause from None  # what the pipeline raised, as if it had been here
        self.loaded = request.model
        return Drawn(content=drawn.content, details={**drawn.details, "worker": self.name})

    def close(self) -> None:
        """End it."""
        import ray

        with suppress(Exception):  # it may have died, and the cluster with it
            ray.kill(self._actor)

    def _wait(self, drawing: Any, on_step: OnStep) -> None:
        import ray

        while not ray.wait([drawing], timeout=_SLICE_S)[0]:
            try:
                on_step(*ray.get(self._actor.progress.remote()))
            except Stopped:
                self._actor.stop.remote()
                raise


class _Store:
    """References in the object store: each is put there once, and each machine fetches it once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def put(self, content: bytes) -> Any:
        """The reference's place in the store."""
        import ray

        key = hashlib.sha256(content).hexdigest()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = (ray.put(content), len(content))
                self._bytes += len(content)
            self._kept.move_to_end(key)
            place = self._kept[key][0]
            while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
                _, (_, size) = self._kept.popitem(last=False)
                self._bytes -= size
        return place


def _join(address: Address, *, cpus: int) -> None:
    """Raises MachineError where the cluster cannot be reached."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told of a run
    import ray

    where: dict[str, Any] = {"address": address.cluster}
    if address.cluster is None:
        where = {"num_cpus": cpus * address.workers if address.workers else None, "include_dashboard": False}
    try:
        ray.init(**where, log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
    except Exception as unreachable:
        # Ray raises ConnectionError, RuntimeError, ValueError and its own, by what exactly is not there.
        raise MachineError(
            f"The fleet at {address.cluster or 'this machine'} cannot be reached: {shown(str(unreachable))}"
        ) from unreachable


def _gpus() -> int:
    import ray

    return int(ray.cluster_resources().get("GPU", 0))


def _actor(make: Make, cpus: int, gpus: int) -> Any:
    import ray

    remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_concurrency=2, scheduling_strategy="SPREAD")(FleetWorker)
    return remote.remote(make)


def _pipeline_there(wish: Local, entries: Mapping[str, Entry]) -> Drawer:
    """A pipeline on the one device that Ray has given to this worker."""
    from flux2batch.providers.local.opening import drawers

    return drawers(replace(wish, fleet=None), entries)[0]
