"""Which devices draw, in which number format, and how their memory is spared: chosen here, or as the user says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flux2batch.errors import InvalidInput
from flux2batch.planning.configuration_local import Local
from flux2batch.reading.problems import error


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A device and how a model lies on it."""

    device: str  # as torch names it: cpu, cuda:0, mps
    dtype: str  # bfloat16, float16, float32
    offload: str  # none; model: one part on the device at a time; sequential: one layer
    quantise: str  # none; fp8: weights of eight bits, computed in dtype
    threads: int | None  # of a CPU; None: not ours to say

    def __str__(self) -> str:
        spared = [f"{self.offload} offload" if self.offload != "none" else "", self.quantise.replace("none", "")]
        return ", ".join([self.device, self.dtype, *(each for each in spared if each)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is to draw on."""

    cuda: int  # number of GPUs
    mps: bool


def this_machine() -> Machine:
    """Ask the library. Imports it, which takes seconds."""
    import torch

    return Machine(cuda=torch.cuda.device_count(), mps=torch.backends.mps.is_available())


def placements(wish: Local, machine: Machine) -> tuple[Placement, ...]:
    """One for each device that is to draw. Raises InvalidInput (FB027) where the machine cannot do as asked."""
    devices = _devices(wish.device, machine)
    on_gpu = all(device.startswith("cuda") for device in devices)
    for name, value in (("offload", wish.offload), ("quantise", wish.quantise)):
        if value != "none" and not on_gpu:
            raise _impossible(f"{name} {value} spares the memory of a GPU, and {devices[0]} is none", f"--{name} none")
    dtype = wish.dtype if wish.dtype != "auto" else "bfloat16" if on_gpu else "float32"
    return tuple(
        Placement(
            device="cpu" if (threads := threads_of(device)) else device,
            dtype=dtype,
            offload=wish.offload,
            quantise=wish.quantise,
            threads=threads,
        )
        for device in devices
    )


def threads_of(device: str) -> int | None:
    """How many threads draw on a CPU: one unless it is said (`cpu:8`). With another number the last bits of a picture
    may be others, so the number of cores must not decide it. None for what is no CPU."""
    name, _, count = device.partition(":")
    if name != "cpu":
        return None
    return int(count) if count.isdecimal() else 1


def _devices(wish: str, machine: Machine) -> Sequence[str]:
    there = [f"cuda:{number}" for number in range(machine.cuda)] + ["mps"] * machine.mps + ["cpu"]
    if wish == "auto":
        return there[: machine.cuda] or there[:1]
    if wish == "cuda" and machine.cuda:
        return there[: machine.cuda]
    named = [each.strip() for each in wish.split(",")]
    strange = [name for name in named if name not in there and not _CPU.fullmatch(name)]
    if strange:
        raise _impossible(f"there is no device '{strange[0]}' here", f"there are: {', '.join(there)}")
    return list(dict.fromkeys(named))


_CPU = re.compile(r"cpu:[1-9][0-9]{0,2}")


def _impossible(message: str, help: str) -> InvalidInput:
    return InvalidInput([error("FB027", message, where=None, help=help)])
