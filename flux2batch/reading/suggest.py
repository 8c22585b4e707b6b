"""Find what somebody meant who wrote something else."""

from __future__ import annotations

from collections.abc import Iterable

_NEAR = 0.6
_LONGEST = 100  # nobody meant a word of a thousand letters, and comparing one is slow


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is nearest to `word`, or None where none is near enough. Case does not count."""
    if len(word) > _LONGEST:
        return None
    target = word.casefold()
    best: tuple[float, str] | None = None
    for candidate in known:
        folded = candidate.casefold()
        if folded == target:
            return candidate
        nearness = _nearness(target, folded, above=best[0] if best else _NEAR)
        if nearness is not None and (best is None or nearness > best[0]):
            best = (nearness, candidate)
    return best[1] if best else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The help text that names the nearest known word, or None."""
    candidate = closest(word, known)
    return f"did you mean '{candidate}'?" if candidate is not None else None


def _nearness(a: str, b: str, *, above: float) -> float | None:
    # The two quick ratios are upper bounds: most candidates are dismissed without the slow comparison.
    from difflib import SequenceMatcher  # only where somebody mistyped

    matcher = SequenceMatcher(None, a, b, autojunk=False)
    if matcher.real_quick_ratio() < above or matcher.quick_ratio() < above:
        return None
    ratio = matcher.ratio()
    return ratio if ratio >= above else None
