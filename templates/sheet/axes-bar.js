// Which axis runs where: each axis is a tag that is dragged, or moved by keys or by its menu, from place to place.
const axesBar = (() => {
  const places = [["x", "Columns"], ["y", "Rows"], ["rows", "Outer rows"], ["cols", "Outer columns"], ["step", "Step through"]];
  const element = dom.make("div", { id: "axes", role: "toolbar", "aria-label": "Axes" });
  let dragged = null;
  let drawn = "";

  function draw() {
    const focused = element.contains(document.activeElement) ? focusMark(document.activeElement) : null;
    const view = viewState.now;
    const wanted = JSON.stringify([view.mode, view.x, view.y, view.rows, view.cols]);
    if (wanted === drawn) return stepper.refresh();
    drawn = wanted;
    element.hidden = view.mode === "gallery" || !data.axes.some((axis) => axis.values.length > 1);
    const swap = dom.button("Swap columns and rows (T)", () => viewState.change({ x: view.y, y: view.x }), { className: "round", disabled: !view.x && !view.y }, dom.icon("swap"));
    element.replaceChildren(...places.flatMap(([place, title]) => (place === "y" ? [swap, zone(place, title)] : [zone(place, title)])));
    if (focused) element.querySelector(focused)?.focus({ preventScroll: true });
    return undefined;
  }

  // What had the focus is drawn anew, so it is remembered by what it stands for.
  function focusMark(active) {
    if (active.dataset.axis) return `[data-axis="${CSS.escape(active.dataset.axis)}"]`;
    if (active.dataset.stepper) return `[data-stepper="${CSS.escape(active.dataset.stepper)}"]`;
    return active.title ? `[title="${CSS.escape(active.title)}"]` : null;
  }

  function zone(place, title) {
    const tags = namesAt(place).map((name) => tag(data.axis(name), place));
    const made = dom.make("div", { className: `zone${tags.length ? "" : " vacant"}`, role: "group", "aria-label": title }, dom.make("span", { className: "title" }, title), tags, place === "step" ? stepper.controls() : null);
    made.dataset.place = place;
    made.addEventListener("dragover", (event) => {
      if (!dragged) return;
      event.preventDefault();
      made.classList.add("over");
    });
    made.addEventListener("dragleave", () => made.classList.remove("over"));
    made.addEventListener("drop", (event) => {
      event.preventDefault();
      const onto = event.target.closest("[data-axis]")?.dataset.axis;
      const name = dragged;
      dragged = null;
      if (name && onto && onto !== name) viewState.swap(name, onto);
      else if (name) viewState.place(name, place);
    });
    return made;
  }

  function namesAt(place) {
    const view = viewState.now;
    if (place === "x" || place === "y") return view[place] ? [view[place]] : [];
    return place === "step" ? viewState.stepped(view).map((axis) => axis.name) : view[place];
  }

  function tag(axis, place) {
    const made = dom.make(
      "button",
      {
        type: "button", className: "tag", draggable: true, "aria-haspopup": "menu",
        title: `${axis.title}: ${words.count(axis.values.length, "value")}. Drag it to another place, or press the left and right arrow keys`,
        onclick: () => menus.openAt(made, menu(axis, place)),
        onkeydown: (event) => byKey(event, axis, place),
      },
      dom.foreign(axis.title),
      dom.make("span", { className: "count" }, String(axis.values.length)),
    );
    made.dataset.axis = axis.name;
    made.addEventListener("dragstart", (event) => {
      dragged = axis.name;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", axis.name);
      element.classList.add("dragging");
    });
    made.addEventListener("dragend", () => {
      dragged = null;
      element.classList.remove("dragging");
    });
    return made;
  }

  function menu(axis, place) {
    return places.map(([to, title]) => dom.make("button", { type: "button", role: "menuitemradio", "aria-checked": String(to === place), onclick: () => (menus.close(), moved(axis, to)) }, title));
  }

  function byKey(event, axis, place) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const order = places.map(([each]) => each);
    const next = order[order.indexOf(place) + by];
    if (next) moved(axis, next);
  }

  function moved(axis, to) {
    viewState.place(axis.name, to);
    dom.say(`${axis.title}: ${places.find(([place]) => place === to)[1].toLowerCase()}`, { seen: true });
    element.querySelector(`[data-axis="${CSS.escape(axis.name)}"]`)?.focus({ preventScroll: true });
  }

  return { element, draw };
})();
