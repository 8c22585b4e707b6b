"""flux2batch: a declarative batch pipeline for FLUX.2 image generation."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flux2batch.client import Client as Client
    from flux2batch.client import Result as Result
    from flux2batch.errors import FluxError as FluxError
    from flux2batch.library import load as load
    from flux2batch.library import plan as plan
    from flux2batch.library_ledger import ledger as ledger
    from flux2batch.library_run import Outcome as Outcome
    from flux2batch.library_run import Report as Report
    from flux2batch.library_run import run as run
    from flux2batch.planning.plan import Plan as Plan
    from flux2batch.planning.shot import Shot as Shot
    from flux2batch.providers.contract import Provider as Provider
    from flux2batch.reading.job import Job as Job

__version__ = "0.1.0"

# Read when they are first used: `import flux2batch` itself costs nothing, and neither does asking for the version.
_HOMES = {
    "Client": "flux2batch.client",
    "FluxError": "flux2batch.errors",
    "Job": "flux2batch.reading.job",
    "Outcome": "flux2batch.library_run",
    "Plan": "flux2batch.planning.plan",
    "Provider": "flux2batch.providers.contract",
    "Report": "flux2batch.library_run",
    "Result": "flux2batch.client",
    "Shot": "flux2batch.planning.shot",
    "ledger": "flux2batch.library_ledger",
    "load": "flux2batch.library",
    "plan": "flux2batch.library",
    "run": "flux2batch.library_run",
}

__all__ = [
    "Client",
    "FluxError",
    "Job",
    "Outcome",
    "Plan",
    "Provider",
    "Report",
    "Result",
    "Shot",
    "__version__",
    "ledger",
    "load",
    "plan",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'flux2batch' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
