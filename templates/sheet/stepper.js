// Axes that are not on the grid: one value at a time, by buttons, a slider, or the keys [ and ].
const stepper = (() => {
  function controls() {
    if (viewState.now.mode !== "grid") return [];
    return viewState.stepped().map(control);
  }

  function control(axis) {
    const at = viewState.standsAt(axis.name);
    const label = at === "all" ? "all" : String(data.labelAt(axis.name, at));
    const slider = dom.make("input", {
      type: "range", min: 0, max: axis.values.length - 1, step: 1, value: at === "all" ? 0 : at,
      "aria-label": axis.title, "aria-valuetext": label,
      oninput: (event) => to(axis, Number(event.target.value)),
    });
    slider.dataset.stepper = axis.name;
    return dom.make(
      "div",
      { className: "stepper", role: "group", "aria-label": `Step through ${axis.title}` },
      dom.button(`Previous ${axis.title}`, () => step(axis.name, -1), { className: "round" }, dom.icon("left")),
      slider,
      dom.button(`Next ${axis.title}`, () => step(axis.name, 1), { className: "round" }, dom.icon("right")),
      dom.make("output", { className: "value" }, dom.foreign(label)),
      dom.make("button", { type: "button", className: "all", "aria-pressed": String(at === "all"), title: `Do not keep to one ${axis.title}`, onclick: () => (at === "all" ? to(axis, 0) : viewState.change({ at: { ...viewState.now.at, [axis.name]: "*" } })) }, "any"),
    );
  }

  function to(axis, at) {
    viewState.change({ at: { ...viewState.now.at, [axis.name]: axis.values[at].id } });
  }

  // Round and round, within what the filters let through.
  function step(name, by) {
    const axis = data.axis(name);
    const only = viewState.now.only[name];
    const allowed = axis.values.map((_, i) => i).filter((i) => !only || only.includes(axis.values[i].id));
    if (!allowed.length) return;
    const here = allowed.indexOf(viewState.standsAt(name));
    to(axis, allowed[(here + by + allowed.length) % allowed.length]);
    dom.say(`${axis.title} ${data.labelAt(name, viewState.standsAt(name))}`, { seen: true });
  }

  const first = () => viewState.stepped()[0]?.name || null;

  return { controls, step, first };
})();
