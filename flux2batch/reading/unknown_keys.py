"""Say of a key that the language does not have what its author may have meant."""

from __future__ import annotations

from collections.abc import Iterator

from flux2batch.reading.branches import Schema, resolved
from flux2batch.reading.document import Document
from flux2batch.reading.foreign_keys import OTHER_TOOLS, SERVICE_NAMES, is_of_the_user, names_a_secret
from flux2batch.reading.problems import Problem, Steps, error
from flux2batch.reading.suggest import closest

_SECTIONS = ("budget", "run", "output", "sheet")


def problems(document: Document, steps: Steps, known: tuple[str, ...], root: Schema) -> Iterator[Problem]:
    """What to say about the unknown key at `steps`; `known` are the keys that may stand there."""
    key = str(steps[-1])
    if names_a_secret(key, ours=True):
        return  # said already, without its value
    where = document.key_place(steps)
    if is_of_the_user(key):
        yield error(
            "FB705",
            f"'{key}' is not a job's to set: it belongs in your own configuration",
            where=where,
            steps=steps,
            help="`flux2batch config` shows the file and what may stand in it",
        )
        return
    yield error("FB201", f"unknown key '{key}'", where=where, steps=steps, help=_meant(key, steps, known, root))


def near_key(steps: Steps, root: Schema) -> str | None:
    """The known key that an unknown one is taken for where the job is read on: `promt` is `prompt`."""
    key = str(steps[-1])
    if names_a_secret(key, ours=True) or is_of_the_user(key) or key in SERVICE_NAMES or key in OTHER_TOOLS:
        return None
    if len(steps) == 1:
        return None if _home(key, steps, root) else closest(key, root["properties"])
    if len(steps) == 2 and steps[0] in _SECTIONS:
        return closest(key, root["properties"][steps[0]]["properties"])
    if steps[:-1] == ("params",) or steps[-2] == "set":
        return closest(key, _parameters(root))
    return None


def unusable_name(document: Document, parent: Steps, name: str) -> Problem:
    """What to say about a name of an axis, a constant, a table or a reference that cannot be one."""
    steps = (*parent, name)
    where = document.key_place(steps)
    is_axis = parent[:1] in (("sweep",), ("zip",), ("draw",))
    bare = name.removeprefix("params.")
    if is_axis and bare in SERVICE_NAMES:
        ours = SERVICE_NAMES[bare]
        return error(
            "FB201", f"unknown parameter '{bare}'", where=where, steps=steps, help=f"the name here is '{ours}'"
        )
    if is_axis and bare != name and bare.isidentifier():
        return error(
            "FB201", f"'{bare}' is an axis by its own name", where=where, steps=steps, help=f"write '{bare}' alone"
        )
    if name.isidentifier() and len(name) <= 64:
        return error(
            "FB212",
            f"'{name}' has a meaning of its own in templates and cannot be a name",
            where=where,
            steps=steps,
            help=f"choose another name, such as 'my_{name}'",
        )
    return error(
        "FB212",
        f"'{name[:64]}' cannot be a name: templates could not use it",
        where=where,
        steps=steps,
        help=_usable(name) or "letters, digits and _, beginning with a letter, at most 64",
    )


def _meant(key: str, steps: Steps, known: tuple[str, ...], root: Schema) -> str:
    if key in SERVICE_NAMES:
        return _as_our_name(SERVICE_NAMES[key], steps)
    if key in OTHER_TOOLS:
        return OTHER_TOOLS[key]
    home = _home(key, steps, root)
    if home:
        return f"'{key}' belongs {home}"
    near = closest(key, known)
    if near:
        return f"did you mean '{near}'?"
    elsewhere = closest(key, _parameters(root)) if len(steps) == 1 else None
    if elsewhere:
        return f"did you mean '{elsewhere}', which belongs {_home(elsewhere, steps, root)}?"
    return f"known keys: {', '.join(known)}"


def _as_our_name(ours: str, steps: Steps) -> str:
    if ours == "references":
        return "pictures to work from stand under 'references'"
    place = "" if len(steps) >= 2 and steps[-2] in ("params", "set") else ", in 'params' or 'sweep'"
    return f"the name here is '{ours}'{place}"


def _home(key: str, steps: Steps, root: Schema) -> str | None:
    """Where a known key belongs, if it is not here."""
    if key in _parameters(root):
        return "in 'params' or 'sweep'" if len(steps) == 1 else "in 'params'"
    if len(steps) > 1 and key in root["properties"]:
        return "at the top of the file"
    homes = [section for section in _SECTIONS if key in root["properties"][section]["properties"]]
    return f"in '{homes[0]}'" if homes else None


def _parameters(root: Schema) -> tuple[str, ...]:
    return tuple(resolved({"$ref": "#/definitions/parameters"}, root)["properties"])


def parameters() -> tuple[str, ...]:
    """The names of the parameters that the language has."""
    from flux2batch.reading.schema import job_schema

    return _parameters(job_schema())


def _usable(name: str) -> str | None:
    """The name with _ for whatever cannot stand in one."""
    mended = "".join(c if ("_" + c).isidentifier() else "_" for c in name.strip())
    return f"write '{mended}'" if mended.isidentifier() and mended.strip("_") and len(mended) <= 64 else None
