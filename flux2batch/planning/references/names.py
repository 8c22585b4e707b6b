"""What `ref('logo')` and `refs('views')` say in a prompt: the numbers that the pictures have in the final request."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence

from flux2batch.planning.shot import Reference
from flux2batch.planning.templates.faults import refuse


def names_of(
    references: Sequence[Reference], declared: Iterable[str] = (), broken: Container[str] = ()
) -> tuple[Callable[[str], str], Callable[[str], str]]:
    """`ref` and `refs` for one request.

    `ref` is exactly one picture ("image 3"). `refs` is any number ("images 2 and 3", or nothing for one of the
    `declared` references that this shot goes without). Anything else refuses the template, but for one that is
    `broken`: what is wrong with it has been said, and the prompt is not to blame.
    """
    known = dict.fromkeys([*declared, *(reference.name for reference in references)])
    numbers: dict[str, list[int]] = {name: [] for name in known}
    for number, reference in enumerate(references, start=1):
        numbers[reference.name].append(number)

    def look_up(name: str) -> list[int]:
        if name not in numbers:
            from flux2batch.reading.suggest import did_you_mean

            refuse("FB301", f"there is no reference '{name}'", did_you_mean(str(name), list(numbers)), name=name)
        return numbers[name]

    def ref(name: str) -> str:
        found = look_up(name)
        if not found and name in broken:
            return "image 1"
        if not found:
            help = f"write {{% if refs('{name}') %}} before and {{% endif %}} after what speaks of it"
            refuse("FB413", f"this shot goes without reference '{name}'", help, name=name)
        if len(found) > 1:
            refuse("FB305", f"reference '{name}' is {len(found)} pictures", f"write refs('{name}')", name=name)
        return f"image {found[0]}"

    def refs(name: str) -> str:
        found = [str(number) for number in look_up(name)]
        if len(found) < 2:
            return f"image {found[0]}" if found else ""
        return f"images {', '.join(found[:-1])} and {found[-1]}"

    return ref, refs
