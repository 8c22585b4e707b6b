"""flux2batch whose executor has a journal that keeps nothing, to see what the real one costs: `forgetful.py run …`."""

from __future__ import annotations

from flux2batch.__main__ import main
from flux2batch.running import run

run._WithCompanions.write = lambda *_, **__: None  # type: ignore[method-assign]  # the very thing to be left out
run._WithCompanions.remember = lambda *_, **__: None  # type: ignore[method-assign]  # and what follows from it
main()
