"""Where a shot's pictures go: rendered, made safe, with their extension and one path for each frame."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from flux2batch.planning.fault import Fault
from flux2batch.planning.shots.names import Moment
from flux2batch.planning.shots.request import Request
from flux2batch.planning.shots.texts import Text
from flux2batch.planning.sweep.grid import Column, Grid
from flux2batch.planning.sweep.kept import KEPT
from flux2batch.planning.templates.paths import safe_component
from flux2batch.reading.hidden import HIDDEN, hidden_name, is_ordinary

_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_MOST_BYTES = 255
_MOST_BYTES_IN_ALL = 1024

_SPECIAL = re.compile(r"[\x00-\x1f\x7f\\:*?\"<>|]")
_MEANT_FOR_A_SHELL = re.compile(r"[;`$]")
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE | re.DOTALL
)

_NAME = (
    r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|/|$)|earlier/)"
    r"[A-Za-z0-9_](?:[A-Za-z0-9_ .+=,-]{0,98}[A-Za-z0-9_+=,-])?"
)
_PLAINLY_SAFE = re.compile(rf"(?:{_NAME}/){{0,7}}{_NAME}", re.IGNORECASE)
"""Nearly every path of every job: only these are spared the slow look at each name."""

_OWN = "earlier"
"""The folder in a run directory that holds pictures whose path now belongs to another shot."""


class Paths:
    """The paths of a job's shots."""

    def __init__(self, template: Text | None, grid: Grid, *, name: str, seed_rises: bool) -> None:
        self._template = template
        self._named = template.names if template else frozenset[str]()
        shows_repeat = self._named & ({"repeat", "index", "seed"} if seed_rises else {"repeat", "index"})
        self._appends_repeat = template is None or not shows_repeat
        self._of_ids = _ids_joined(grid.crossed, safe_component(name))
        self.written_extension = _literal_extension(template.whole.text) if template else None

    def name(self, moment: Moment) -> str:
        """The path without extension; TemplateFault where it cannot be rendered."""
        name = self._template.render(moment) if self._template else self._of_ids(moment)
        if self.written_extension:
            name = name[: -len(self.written_extension)]
        return f"{name}-r{moment.repeat}" if moment.repeat > 1 and self._appends_repeat else name

    def extension_fault(self, request: Request) -> Fault | None:
        """What is wrong with an extension that the job writes itself (FB503)."""
        written = self.written_extension
        wanted = request.params.get("output_format", "png")
        if written is None or _FORMATS[written] == wanted:
            return None
        return Fault(
            code="FB503",
            message=f"the path ends with '{written}', and the picture is {wanted}",
            help=f"leave the extension out ({request.extension} is added), or set output_format: {_FORMATS[written]}",
            parameter="path",
        )

    def of(self, name: str, request: Request) -> tuple[str, ...]:
        """The paths of a shot's pictures, one a frame."""
        extension = self.written_extension or request.extension
        if request.frames == 1:
            return (name + extension,)
        return tuple(f"{name}-{number}{extension}" for number in range(1, request.frames + 1))


def path_fault(path: str) -> Fault | None:
    """What is wrong with a path: it leads out of the run directory (FB704), or not every system takes it (FB502)."""
    if _PLAINLY_SAFE.fullmatch(path):
        return None
    parts = path.split("/")
    if path.startswith(("/", "~", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", path):
        return Fault(
            code="FB704",
            message=f"'{path}' leads out of the run directory",
            help="write a path that begins with a name, without '..'",
            parameter="path",
        )
    why = next((why for part in parts if (why := name_fault(part))), None)
    if why is None and parts[0].casefold() == _OWN and len(parts) > 1:
        why = f"the folder '{_OWN}' is kept for pictures of before"
    if why is None and len(path.encode()) > _MOST_BYTES_IN_ALL:
        why = f"it is {len(path.encode()):,} bytes long, and {_MOST_BYTES_IN_ALL:,} are the most"
    return (
        None
        if why is None
        else Fault(code="FB502", message=f"the path '{_short(path)}': {why}", help=None, parameter="path")
    )


def folded(path: str) -> str:
    """What two paths have in common that are one file on some systems: capitals and ways of writing accents."""
    return (
        path.casefold()
        if path.isascii()
        else unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
    )


def name_fault(part: str) -> str | None:
    """Why one name of a path is none on every system."""
    if part == "":
        return "a name in it is empty"
    if _SPECIAL.search(part):
        return f"'{_short(part)}' has a character that Windows does not take: \\ : * ? \" < > | or a control character"
    if _MEANT_FOR_A_SHELL.search(part):
        return f"'{_short(part)}' has a character that a shell would obey: ; ` $"
    hidden = next((found for found in HIDDEN.finditer(part) if not is_ordinary(part, found.start())), None)
    if hidden is not None:
        return f"a name in it holds {hidden_name(hidden[0])}, which cannot be seen"
    if part[0] in ".-":
        return f"'{_short(part)}' begins with '{part[0]}'"
    if part[0] == " " or part[-1] in " .":
        return f"'{_short(part)}' begins or ends with a space, or ends with a dot"
    if _DEVICE.fullmatch(part):
        return f"'{_short(part)}' is a device of Windows"
    if len(part.encode("utf-8", "surrogatepass")) > _MOST_BYTES:
        return (
            f"a name in it is {len(part.encode('utf-8', 'surrogatepass'))} bytes long, and {_MOST_BYTES} are the most"
        )
    return None


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


def _literal_extension(template: str) -> str | None:
    """The extension that the template's own text ends with."""
    tail = template.rpartition("}")[2]
    return next((ending for ending in _FORMATS if tail.lower().endswith(ending) and len(tail) >= len(ending)), None)


def _ids_joined(columns: Sequence[Column], name: str) -> Callable[[Moment], str]:
    """Paths made of the ids of the axes' values, in order, or of the job's name where there are no axes."""
    if not columns:
        return lambda _: name
    kept: list[dict[int, str]] = [{} for _ in columns]

    def joined(moment: Moment) -> str:
        parts = []
        for column, known, index in zip(columns, kept, moment.point, strict=False):
            part = known.get(index)
            if part is None:
                if len(known) >= KEPT:
                    known.clear()
                part = known[index] = safe_component(column.value(index).id)
            parts.append(part)
        return "-".join(parts)

    return joined
