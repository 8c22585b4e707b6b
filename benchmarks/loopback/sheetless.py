"""flux2batch without its contact sheet and thumbnails, which no other client makes: `sheetless.py run job.yaml …`."""

from __future__ import annotations

from flux2batch.__main__ import main
from flux2batch.running import sheet_writer

sheet_writer.SheetWriter.start = lambda _: None  # type: ignore[method-assign]  # the very thing to be left out
main()
