"""What rendering one shot's texts costs beside Jinja itself, on the same templates and values.

    python benchmarks/template_rendering.py

Ours is measured through `Template.render` and `Expression.evaluate`, with all bounds on. Jinja is measured twice: bare,
and in its own immutable sandbox, both with strict undefined. The best of five rounds counts.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable

from jinja2 import Environment, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from flux2batch.planning.templating import ValueObject, compile_expression, compile_template

ROUNDS = 5
TIMES = 20_000

SCOPE = {
    "season": "high summer",
    "product": {"name": "enamel mug", "scene": "on a jetty, a lake behind it", "logo": "refs/logo.png"},
    "subject": {"id": "fox", "text": "a red fox asleep in fresh snow"},
    "light": "overcast light",
    "guidance": 2.5,
    "steps": 20,
    "seed": 101,
    "ref": lambda name: f"image {len(name)}",
}
PROMPT = (
    "Advertising photograph in {{ season }}: the {{ product.name }} of {{ ref('pack') }}, its shape unchanged, "
    "{{ product.scene }}. Natural side light. Accents in the color of {{ ref('blue') }}."
    "{%- if product.logo %} The mark of {{ ref('logo') }} stays as it is on the product.{% endif %}"
)
SHORT = "{{ subject.text }}, {{ light }}"
PATH = "{{ subject.id }}/{{ light }}/g{{ guidance }}-s{{ steps }}-{{ seed }}"


def main() -> None:
    """One line a template, in microseconds."""
    print(f"{'µs':24}{'ours':>8}{'jinja':>8}{'sandbox':>8}")
    for name, text in (("a prompt with references", PROMPT), ("a short prompt", SHORT)):
        ours = compile_template(text, folder=None, kind="text")
        bare = Environment(undefined=StrictUndefined).from_string(text)
        sandboxed = ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(text)
        assert ours.render(SCOPE) == bare.render(SCOPE) == sandboxed.render(SCOPE)
        costs = [_microseconds(render) for render in (ours.render, bare.render, sandboxed.render)]
        print(f"{name:24}" + "".join(f"{cost:8.1f}" for cost in costs))

    path = compile_template(PATH, folder=None, kind="path")
    print(f"{'a path':24}{_microseconds(path.render):8.1f}")
    where = compile_expression("guidance >= 5 and steps == 20")
    seen = ValueObject(id="2.5", label="2.5", value=2.5, text="2.5", fields={})
    print(f"{'a condition':24}{_microseconds(lambda scope: where.evaluate({**scope, 'guidance': seen})):8.1f}")


def _microseconds(work: Callable[[dict[str, object]], object]) -> float:
    return min(timeit.repeat(lambda: work(SCOPE), number=TIMES, repeat=ROUNDS)) / TIMES * 1e6


if __name__ == "__main__":
    main()
