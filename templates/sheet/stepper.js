// Axes that are not on the grid: one value at a time, by buttons, a slider, or the keys [ and ].
const stepper = (() => {
  let refreshes = [];

  function controls() {
    refreshes = [];
    if (viewState.now.mode !== "grid") return [];
    return viewState.stepped().map(control);
  }

  // Shows where the axes stand now in the controls that are there: a slider that is being dragged must not be drawn anew.
  const refresh = () => refreshes.forEach((act) => act());

  function control(axis) {
    const slider = dom.make("input", {
      type: "range", min: 0, max: axis.values.length - 1, step: 1, "aria-label": axis.title,
      oninput: (event) => to(axis, Number(event.target.value)),
    });
    const value = dom.make("output", { className: "value" });
    const isAny = () => viewState.standsAt(axis.name) === "all";
    const any = dom.make("button", { type: "button", className: "all", title: `Do not keep to one ${axis.title}`, onclick: () => (isAny() ? to(axis, 0) : viewState.change({ at: { ...viewState.now.at, [axis.name]: "*" } })) }, "any");
    const show = () => {
      const label = isAny() ? "all" : String(data.labelAt(axis.name, viewState.standsAt(axis.name)));
      slider.value = isAny() ? 0 : viewState.standsAt(axis.name);
      slider.setAttribute("aria-valuetext", label);
      value.replaceChildren(dom.foreign(label));
      any.setAttribute("aria-pressed", String(isAny()));
    };
    show();
    refreshes.push(show);
    slider.dataset.stepper = axis.name;
    return dom.make(
      "div",
      { className: "stepper", role: "group", "aria-label": `Step through ${axis.title}` },
      dom.button(`Previous ${axis.title}`, () => step(axis.name, -1), { className: "round" }, dom.icon("left")),
      slider,
      dom.button(`Next ${axis.title}`, () => step(axis.name, 1), { className: "round" }, dom.icon("right")),
      value,
      any,
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

  return { controls, refresh, step, first };
})();
