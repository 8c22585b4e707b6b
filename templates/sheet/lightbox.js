// One picture, large, with everything about it; arrow keys go to its neighbours along the axes.
const lightbox = (() => {
  let look = lens.whole;
  let shot = null;
  let opener = null;
  const surface = lens.surface({ onlook: see, onplace: showPercent });
  const title = dom.make("h2", { id: "lightbox-title" });
  const percent = dom.make("output", { className: "percent zoom", "aria-label": "Zoom" });
  const compared = dom.button("Compare (C)", () => compare.toggle(shot), { className: "round" }, dom.icon("compare"));
  const side = dom.make("aside", { className: "side", "aria-label": "About this picture" });
  const edge = (name, label, act) => dom.button(label, act, { className: `edge edge-${name}` }, dom.icon(name));
  const edges = { left: edge("left", "Previous picture (left arrow)", () => go(-1, 0)), right: edge("right", "Next picture (right arrow)", () => go(1, 0)) };
  const dialog = dom.make(
    "dialog", { id: "lightbox", tabIndex: -1, "aria-labelledby": "lightbox-title" },
    dom.make(
      "header", null, title,
      dom.button("Zoom out (−)", () => zoomBy(1 / 1.5), { className: "round zoom" }, dom.icon("minus")),
      percent,
      dom.button("Zoom in (+)", () => zoomBy(1.5), { className: "round zoom" }, dom.icon("plus")),
      dom.button("100 %", fullSize, { title: "One pixel for one pixel (Z)" }),
      dom.button("Fit", () => see(lens.whole), { title: "The whole picture (F)" }),
      compared,
      dom.button("Details (I)", toggleSide, { className: "round", "aria-pressed": "true", id: "details-button" }, dom.icon("info")),
      dom.button("Close (Esc)", close, { className: "round" }, dom.icon("reject")),
    ),
    dom.make("div", { className: "body" }, dom.make("div", { className: "view" }, surface.element, edges.left, edges.right, dom.make("div", { className: "ribbon" })), side),
  );
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  dialog.addEventListener("close", () => {
    if (viewState.now.open) close();
  });
  if (store.read("details", { shared: true }) === false) toggleSide();

  function open(which) {
    viewState.change({ open: which.key }, { layer: !viewState.now.open });
  }

  function close() {
    viewState.leave({ open: null });
  }

  // As the view says.
  function draw() {
    const next = viewState.now.open ? data.byKey.get(viewState.now.open) : null;
    if (!next) return end();
    if (!dialog.open) {
      opener = document.activeElement;
      dialog.showModal();
      dialog.focus({ preventScroll: true });
    }
    if (next === shot) return refresh();
    shot = next;
    show();
  }

  function end() {
    if (!shot && !dialog.open) return;
    const last = shot;
    shot = null;
    look = lens.whole;
    if (dialog.open) dialog.close();
    if (last) stage.reveal(last);
    (opener && opener.isConnected && opener !== document.body ? opener : stage.table).focus({ preventScroll: true });
  }

  function show() {
    const focused = side.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    title.replaceChildren(dom.foreign(data.nameOf(shot)));
    surface.show(shot, look);
    stage.reveal(shot); // the cursor goes along
    side.replaceChildren(...details.make(shot, { onstep: step, can: (name, by) => Boolean(axes.neighbour(shot, name, by, filters.isShown)) }));
    if (focused) (side.querySelector(`[aria-label="${CSS.escape(focused)}"]:not(:disabled)`) || dialog).focus({ preventScroll: true });
    edges.left.disabled = !ahead(-1, 0);
    edges.right.disabled = !ahead(1, 0);
    refresh();
    prefetch();
  }

  function refresh() {
    const mark = marks.of(shot);
    const ribbon = dialog.querySelector(".ribbon");
    ribbon.replaceChildren(...[mark.pick === 1 ? "Picked" : mark.pick === -1 ? "Rejected" : "", words.stars(mark.stars)].filter(Boolean).map((text) => dom.make("span", null, text)));
    dialog.classList.toggle("is-picked", mark.pick === 1);
    dialog.classList.toggle("is-rejected", mark.pick === -1);
    compared.setAttribute("aria-pressed", String(viewState.now.compare.includes(shot.key)));
    showPercent();
  }

  function showPercent() {
    percent.textContent = shot && data.hasPicture(shot) ? `${surface.percent()} %` : "";
  }

  // After a mark has changed: its buttons, without losing the one that was pressed.
  function redraw() {
    if (!shot) return;
    const scrolled = side.scrollTop;
    show();
    side.scrollTop = scrolled;
  }

  function see(next) {
    look = next;
    if (!shot) return;
    surface.see(look);
    look = surface.look();
  }

  const zoomBy = (factor) => surface.zoomTo(look.zoom * factor);

  function fullSize() {
    surface.zoomTo(Math.max(1, surface.fullSize()));
  }

  function toggleSide() {
    side.hidden = !side.hidden;
    dialog.querySelector("#details-button").setAttribute("aria-pressed", String(!side.hidden));
    store.write("details", !side.hidden, { shared: true });
  }

  const axisFor = (across) => (across ? viewState.now.x : viewState.now.y);

  // The neighbour in a direction: along the axis that runs there on the grid, or else the next in order.
  function ahead(across, down) {
    const name = viewState.now.mode === "grid" ? axisFor(across) : null;
    if (name) return axes.neighbour(shot, name, across || down, filters.isShown);
    return across ? following(across) : null;
  }

  function following(by) {
    const shown = data.shots.filter((each) => each === shot || filters.isShown(each)); // a mark may have just hidden this one
    const order = viewState.now.mode === "grid" ? shown : gallery.inOrder(viewState.now, shown);
    return order[order.indexOf(shot) + by] || null;
  }

  const turn = (next) => next && viewState.change({ open: next.key, ...followed(next) });

  // The stepped axes of the grid go along, so that one comes back to the picture one has seen last.
  function followed(next) {
    if (viewState.now.mode !== "grid") return {};
    const at = { ...viewState.now.at };
    for (const axis of viewState.stepped()) if (viewState.standsAt(axis.name) !== "all" && data.positionOf(next, axis.name) >= 0 && data.positionOf(next, axis.name) !== viewState.standsAt(axis.name)) at[axis.name] = data.valueId(next, axis.name);
    return { at };
  }

  const go = (across, down) => turn(ahead(across, down));
  const step = (name, by) => turn(axes.neighbour(shot, name, by, filters.isShown));
  const inOrder = (by) => turn(following(by));
  const outer = (across, down) => {
    const names = across ? viewState.now.cols : viewState.now.rows;
    if (names.length) step(names[names.length - 1], across || down);
  };

  // The next picture along the row is asked for early, so that going on feels like turning a page.
  function prefetch() {
    for (const next of [ahead(1, 0), ahead(-1, 0)]) if (next && data.hasPicture(next) && data.original(next)) new Image().src = data.original(next);
  }

  return { element: dialog, open, close, draw, redraw, see, zoomBy, fullSize, toggleSide, go, step, outer, inOrder, panBy: (dx, dy) => surface.panBy(dx, dy), shot: () => shot, isZoomed: () => look.zoom > 1.01, fit: () => see(lens.whole), note: () => side.querySelector(".note") };
})();
