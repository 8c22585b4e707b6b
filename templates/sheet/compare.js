// Two to four pictures against one another: side by side with one lens for all, a slider over two, or blinking.
const compare = (() => {
  const most = 4;
  const modes = [["side", "Side by side"], ["slider", "Slider"], ["blink", "Blink"]];
  const pace = 700; // milliseconds for each picture: slower than three flashes a second
  let look = lens.whole;
  let panes = [];
  let active = 0;
  let timer = null;
  let split = 50;
  let opener = null;

  const body = dom.make("div", { className: "body" });
  const differences = dom.make("section", { className: "differences", tabIndex: 0, "aria-label": "What differs" });
  const bar = dom.make("header", null);
  const dialog = dom.make("dialog", { id: "compare", tabIndex: -1, "aria-label": "Comparison" }, bar, body, differences);
  const tray = dom.make("div", { id: "tray", role: "region", "aria-label": "Chosen for comparison", hidden: true });
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  dialog.addEventListener("close", () => {
    if (viewState.now.comparing) close();
  });

  const shots = () => viewState.now.compare.map((key) => data.byKey.get(key)).filter(Boolean);

  function toggle(shot) {
    const now = viewState.now.compare;
    if (now.includes(shot.key)) remove(shot);
    else if (now.length >= most) dom.say(`A comparison holds ${most} pictures. Take one out first.`);
    else viewState.change({ compare: [...now, shot.key] });
  }

  function remove(shot) {
    const left = viewState.now.compare.filter((key) => key !== shot.key);
    if (left.length < 2 && viewState.now.comparing) viewState.leave({ compare: left, comparing: "" });
    else viewState.change({ compare: left });
  }

  function open() {
    if (shots().length < 2) return dom.say("Choose two to four pictures with C first.");
    return viewState.change({ comparing: viewState.now.comparing || "side" }, { layer: !viewState.now.comparing });
  }

  const close = () => viewState.leave({ comparing: "" });

  function draw() {
    drawTray();
    const mode = viewState.now.comparing;
    if (!mode || shots().length < 2) return end();
    if (!dialog.open) {
      opener = document.activeElement;
      dialog.showModal();
      dialog.focus({ preventScroll: true });
    }
    const wanted = `${mode} ${viewState.now.compare.join(" ")}`;
    if (dialog.dataset.shown === wanted) return undefined;
    dialog.dataset.shown = wanted;
    return build(mode);
  }

  function end() {
    if (!dialog.open) return;
    stop();
    panes.forEach((pane) => pane.surface.end());
    panes = [];
    look = lens.whole;
    delete dialog.dataset.shown;
    dialog.close();
    (opener && opener.isConnected && opener !== document.body ? opener : stage.table).focus({ preventScroll: true });
  }

  function build(mode) {
    stop();
    panes.forEach((pane) => pane.surface.end());
    active = Math.min(active, shots().length - 1);
    const used = mode === "slider" ? shots().slice(0, 2) : shots();
    if (mode === "slider" && active > 1) active = 0;
    panes = used.map(pane);
    body.className = `body is-${mode} of-${panes.length}`;
    body.replaceChildren(...(mode === "side" ? panes.map((each) => each.element) : [layered(mode)]));
    drawBar(mode);
    drawDifferences();
    panes.forEach((each) => each.surface.show(each.shot, look));
    showActive();
    if (mode === "slider") showSplit();
    if (mode === "blink" && !window.matchMedia("(prefers-reduced-motion: reduce)").matches) start();
  }

  function pane(shot, i) {
    const surface = lens.surface({ onlook: see, ontap: () => choose(i), onplace: i === 0 ? showPercent : null });
    const label = dom.make("figcaption", null);
    const element = dom.make("figure", { className: "pane", tabIndex: 0, onfocus: () => choose(i) }, surface.element, label);
    const made = { shot, surface, label, element };
    drawLabel(made);
    return made;
  }

  function drawLabel({ shot, label, element }) {
    const varied = data.axes.filter((axis) => new Set(shots().map((each) => data.positionOf(each, axis.name))).size > 1).map((axis) => axis.name);
    element.setAttribute("aria-label", [data.nameOf(shot), marks.inWords(shot)].filter(Boolean).join(", "));
    label.replaceChildren(
      dom.make("span", { className: "name" }, dom.foreign(data.coordinates(shot, varied).join(" · ") || data.nameOf(shot))),
      dom.make("span", { className: "mark" }, [marks.of(shot).pick === 1 ? "✓" : marks.of(shot).pick === -1 ? "✕" : "", words.stars(marks.of(shot).stars)].join(" ")),
      dom.button(`Take out of the comparison: ${data.nameOf(shot)}`, () => remove(shot), { className: "round" }, dom.icon("reject")),
    );
  }

  // Slider and blinking lay the pictures over one another.
  function layered(mode) {
    const stack = dom.make("div", { className: "stack" }, panes.map((each) => each.surface.element));
    const labels = dom.make("div", { className: "labels" }, panes.map((each) => each.label));
    if (mode === "blink") return dom.make("div", { className: "layers" }, stack, labels);
    const handle = dom.make("input", { type: "range", min: 0, max: 100, step: 0.5, value: split, className: "split", "aria-label": "Where the left picture ends", oninput: (event) => ((split = Number(event.target.value)), showSplit()) });
    const line = dom.make("div", { className: "divider", onpointerdown: dragSplit }, dom.make("span", null));
    stack.append(line);
    return dom.make("div", { className: "layers" }, stack, handle, labels);
  }

  function dragSplit(event) {
    event.stopPropagation();
    const line = event.currentTarget;
    line.setPointerCapture(event.pointerId);
    const follow = (moved) => {
      const box = line.parentElement.getBoundingClientRect();
      split = Math.min(100, Math.max(0, (100 * (moved.clientX - box.left)) / box.width));
      showSplit();
    };
    line.addEventListener("pointermove", follow);
    line.addEventListener("lostpointercapture", () => line.removeEventListener("pointermove", follow), { once: true });
  }

  function showSplit() {
    panes[0].surface.element.style.clipPath = `inset(0 ${100 - split}% 0 0)`;
    panes[1].surface.element.style.clipPath = `inset(0 0 0 ${split}%)`;
    const line = body.querySelector(".divider");
    line.style.left = `${split}%`;
    body.querySelector(".split").value = split;
  }

  function drawBar(mode) {
    const playing = dom.make("button", { type: "button", id: "blink-button", hidden: mode !== "blink", "aria-pressed": "false", onclick: () => (timer ? stop() : start()) }, "Blink by itself");
    bar.replaceChildren(
      dom.choice("How to compare", modes, mode, (value) => viewState.change({ comparing: value })),
      dom.make("button", { type: "button", hidden: mode !== "blink", onclick: flip, title: "The next picture (B)" }, "Next"),
      playing,
      dom.make("button", { type: "button", hidden: mode !== "slider", onclick: exchange, title: "Change places" }, "Change places"),
      dom.make("span", { className: "gap" }),
      dom.button("Zoom out (−)", () => zoomBy(1 / 1.5), { className: "round zoom" }, dom.icon("minus")),
      dom.make("output", { className: "percent zoom", "aria-label": "Zoom" }),
      dom.button("Zoom in (+)", () => zoomBy(1.5), { className: "round zoom" }, dom.icon("plus")),
      dom.button("100 %", fullSize, { title: "One pixel for one pixel (Z)" }),
      dom.button("Fit", () => see(lens.whole), { className: "zoom", title: "Whole pictures (F)" }),
      dom.button("Close (Esc)", close, { className: "round" }, dom.icon("reject")),
    );
    showPercent();
  }

  function showPercent() {
    const output = bar.querySelector(".percent");
    if (output && panes.length) output.textContent = `${panes[0].surface.percent()} %`;
  }

  function drawDifferences() {
    const facts = shots().map((shot) => new Map([...data.axes.map((axis) => [axis.title, data.labelOf(shot, axis.name)]), ...details.parameters(shot), ["prompt", shot.prompt], ...details.circumstances(shot).filter(([name]) => ["cost", "time"].includes(name))]));
    const names = [...new Set(facts.flatMap((each) => [...each.keys()]))].filter((name) => new Set(facts.map((each) => String(each.get(name) ?? ""))).size > 1);
    differences.hidden = !names.length;
    differences.replaceChildren(dom.make("table", null, dom.make("caption", null, "What differs"), dom.make("tbody", null, names.map((name) => dom.make("tr", null, dom.make("th", { scope: "row" }, dom.foreign(name)), facts.map((each) => dom.make("td", { dir: "auto" }, String(each.get(name) ?? "–"))))))));
  }

  function see(next) {
    look = next;
    if (!panes.length) return;
    panes[0].surface.see(look);
    look = panes[0].surface.look();
    panes.slice(1).forEach((each) => each.surface.see(look));
  }

  const zoomBy = (factor) => panes[0]?.surface.zoomTo(look.zoom * factor);
  const fullSize = () => panes[0]?.surface.zoomTo(Math.max(1, panes[0].surface.fullSize()));

  function choose(i) {
    if (i === active) return;
    active = i;
    showActive();
  }

  function showActive() {
    const isBlink = viewState.now.comparing === "blink";
    panes.forEach((each, i) => {
      each.element.classList.toggle("active", i === active);
      each.label.classList.toggle("active", i === active);
      if (isBlink) each.surface.element.classList.toggle("away", i !== active);
    });
  }

  function go(by) {
    active = (active + by + panes.length) % panes.length;
    showActive();
    if (viewState.now.comparing === "side") panes[active].element.focus({ preventScroll: true });
  }

  const flip = () => {
    if (viewState.now.comparing === "blink") go(1);
  };

  function exchange() {
    const [one, two, ...others] = viewState.now.compare;
    viewState.change({ compare: [two, one, ...others] });
  }

  function start() {
    timer = setInterval(() => go(1), pace);
    bar.querySelector("#blink-button").setAttribute("aria-pressed", "true");
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    bar.querySelector("#blink-button")?.setAttribute("aria-pressed", "false");
  }

  function drawTray() {
    const chosen = shots();
    tray.hidden = !chosen.length;
    tray.replaceChildren(
      ...chosen.map((shot) => {
        const uri = data.hasPicture(shot) ? data.thumb(shot.thumb, "s") || data.original(shot) : null;
        return dom.button(`Take out: ${data.nameOf(shot)}`, () => remove(shot), { className: "small" }, uri ? dom.make("img", { src: uri, alt: "" }) : dom.icon(words.stateIcon(shot.state)));
      }),
      dom.make("button", { type: "button", className: "primary", disabled: chosen.length < 2, onclick: open, title: "Compare (V)" }, chosen.length < 2 ? "Choose another" : `Compare ${chosen.length}`),
      dom.make("button", { type: "button", className: "text", onclick: () => viewState.change({ compare: [] }) }, "Clear"),
    );
  }

  const redraw = () => panes.forEach(drawLabel);

  return { element: dialog, tray, toggle, open, close, draw, redraw, go, flip, zoomBy, fullSize, fit: () => see(lens.whole), panBy: (dx, dy) => panes[0]?.surface.panBy(dx, dy), shot: () => panes[active]?.shot || null, remove: () => panes[active] && remove(panes[active].shot), isOpen: () => dialog.open, blinks: () => (timer ? stop() : start()) };
})();
