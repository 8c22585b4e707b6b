"""Keep a run's contact sheet fresh while it runs, in threads of its own, and never in the run's way."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from flux2batch.engine.events import Saved
from flux2batch.engine.journal import Journal
from flux2batch.engine.run_directory import journal_of
from flux2batch.reporting.sheet_data import picture_key
from flux2batch.reporting.sheet_page import page_of
from flux2batch.running.new_files import INDEX, replace_page
from flux2batch.running.recorded_run import RecordedRun, picture_at
from flux2batch.running.sheet_drawing import EVERYTHING, Layout, draw
from flux2batch.running.sheets import WrittenSheet, written_sheet
from flux2batch.running.thumbnail_folder import ThumbnailFolder, Wanted

_SHARE = 10
"""The sheet is at work for one part in so many of the time: a page of 10,000 shots is written less often."""


class SheetWriter:
    """Writes `index.html` while a run goes on, and once more at its end.

    with SheetWriter(root) as sheet:      # the journal is there already
        sheet.saw(saved)                  # from any thread: its thumbnails are made while the run goes on
    sheet.written, sheet.trouble          # what became of it

    Nothing here raises into the run: whatever goes wrong is kept in `trouble`, and the next page is tried all the same.
    """

    def __init__(self, root: Path, *, every_s: int = 3) -> None:
        self.root = root
        self.written: WrittenSheet | None = None
        self.trouble: str | None = None
        self._every_s = every_s
        self._over = threading.Event()
        self._thumbnails: ThumbnailFolder | None = None
        self._thread: threading.Thread | None = None
        self._makes_all = True
        self._cost_s = 0.0  # of the last page

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(makes_all=kind is None)

    def start(self) -> None:
        """Begin. The first page is there a moment later."""
        try:
            self._thumbnails = ThumbnailFolder(self.root)
        except Exception as error:
            self.trouble = str(error)
            return
        self._thread = threading.Thread(target=self._go_on, name="sheet", daemon=True)
        self._thread.start()

    def saw(self, saved: Saved) -> None:
        """A picture is in its place."""
        key = picture_key(saved.sha256)
        if key is None or self._thumbnails is None or self._over.is_set():
            return
        try:
            file = picture_at(self.root, saved.path)
            if file is not None:
                self._thumbnails.begin(Wanted(key, file))
        except Exception as error:
            self.trouble = str(error)

    def finish(self, *, makes_all: bool = True) -> None:
        """Write the last page, with all thumbnails, or at once with those that are there."""
        self._makes_all = makes_all
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self._thumbnails is not None:
            self._thumbnails.close(wait=False)

    def _go_on(self) -> None:
        try:
            with closing(Journal.open(journal_of(self.root), driving=False)) as journal:
                run = RecordedRun(self.root, journal)
                while not self._over.is_set():
                    self._write(run, is_last=False)
                    self._rest()
                self._write(run, is_last=True)
        except Exception as error:  # a sheet can be written at any time; the run must go on
            self.trouble = str(error)

    def _rest(self) -> None:
        """Until something new is due."""
        due = time.monotonic() + max(self._every_s, self._cost_s * _SHARE)
        while not self._over.is_set() and (left := due - time.monotonic()) > 0:
            self._over.wait(left)

    def _write(self, run: RecordedRun, *, is_last: bool) -> None:
        began = time.monotonic()
        try:
            news = run.look_again()
            if not news and not is_last and self.written is not None:
                return
            assert self._thumbnails is not None
            drawn = draw(
                [run],
                Layout.beside([self.root], self.root),
                folder=self._thumbnails,
                selected=EVERYTHING,
                finished=is_last,
                refresh_s=None if is_last else self._every_s,
                waits=is_last and self._makes_all,
            )
            target = self.root / INDEX
            size = replace_page(target, page_of(drawn.data))
            self.written = written_sheet(drawn, target, size, thumbnail_bytes=0)
        except Exception as error:
            self.trouble = str(error)
        else:
            self.trouble = None
        self._cost_s = time.monotonic() - began
