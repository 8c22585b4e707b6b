// Puts the page together, and draws it anew whenever the view changes.
(() => {
  const raw = data.raw;
  const summary = dom.make("p", { id: "summary" });
  const here = dom.make("div", { id: "here", "aria-hidden": "true" });
  const chips = dom.make("div", { id: "filters", role: "group", "aria-label": "Filters that are on" });
  const find = dom.make("input", { id: "find", type: "search", placeholder: "Find", "aria-label": "Find in prompts, notes and values", autocomplete: "off", spellcheck: "false" });
  const size = dom.make("input", { id: "size", type: "range", min: 64, max: 768, step: 4, "aria-label": "Size of the thumbnails", title: "Size of the thumbnails (+ and −; F fits)" });
  const filterButton = dom.make("button", { type: "button", id: "filter-button", "aria-expanded": "false", "aria-controls": "panel", title: "Filter and tally (S)", onclick: () => panel.toggle() }, dom.icon("filter"), dom.make("span", null, "Filter"));
  const axesButton = dom.make("button", { type: "button", id: "axes-button", "aria-expanded": "false", "aria-controls": "axes", title: "Axes", onclick: () => showAxes() }, dom.icon("swap"), dom.make("span", null, "Axes"));
  const viewButton = dom.make("button", { type: "button", id: "view-button", "aria-haspopup": "dialog", "aria-expanded": "false", onclick: (event) => menus.viewMenu(event.currentTarget) }, "View");
  const picksButton = dom.make("button", { type: "button", id: "picks-button", "aria-haspopup": "dialog", "aria-expanded": "false", onclick: (event) => menus.picksMenu(event.currentTarget) });

  document.body.append(
    dom.make(
      "header", { id: "top" },
      dom.make(
        "div", { className: "bar" },
        dom.make("div", { className: "naming" }, dom.make("h1", null, dom.foreign(raw.title)), summary),
        dom.make("div", { className: "controls" }, find, axesButton, filterButton, viewButton, dom.make("label", { className: "sizing" }, size), picksButton, dom.button("All keys (?)", () => keyboard.help(), { className: "round" }, "?")),
      ),
      axesBar.element,
      chips,
      menus.element,
    ),
    dom.make("div", { id: "work" }, dom.make("div", { className: "pictures" }, here, stage.element), panel.element),
    compare.tray,
    lightbox.element,
    compare.element,
    keyboard.element,
    dom.make("div", { id: "said", role: "status", "aria-live": "polite" }),
  );

  function showAxes() {
    const open = axesBar.element.classList.toggle("open");
    axesButton.setAttribute("aria-expanded", String(open));
  }

  let layout = "";

  // What moves no picture (opening one, comparing) need not lay the sheet out again.
  function layoutOf(view) {
    const { open, compare: compared, comparing, ...rest } = view;
    return JSON.stringify(rest);
  }

  function draw(view) {
    const next = layoutOf(view);
    if (next !== layout) {
      layout = next;
      chrome(view);
      stage.draw(view);
      panel.draw();
      size.value = stage.size;
    } else stage.refresh(data.shots);
    lightbox.draw();
    compare.draw();
  }

  function chrome(view) {
    axesBar.draw();
    drawSummary();
    drawPicks();
    if (document.activeElement !== find) find.value = view.text;
    const active = filters.active(view);
    chips.hidden = !active.length;
    chips.replaceChildren(
      ...active.map(([label, without]) => dom.make("button", { type: "button", className: "chip", title: "Take this filter off", onclick: () => viewState.change(without) }, dom.foreign(label), dom.icon("reject"))),
      ...(active.length > 1 ? [dom.button("Clear all", filters.clear, { className: "text" })] : []),
    );
    axesButton.hidden = axesBar.element.hidden;
  }

  function drawSummary() {
    const shown = filters.shown().length;
    const all = data.shots.length;
    const states = new Map();
    for (const shot of data.shots) states.set(shot.state, (states.get(shot.state) || 0) + 1);
    const spent = data.shots.reduce((sum, shot) => sum + shot.micros, 0);
    // A shot without a picture is not counted as one.
    const made = states.get("done") || 0;
    const counted = words.count(all, made === all ? "picture" : "shot");
    const parts = [shown === all ? counted : `${shown.toLocaleString("en")} of ${counted}`];
    if (made < all) parts.push(words.count(made, "picture"));
    for (const [state, n] of states) if (state !== "done") parts.push(`${n.toLocaleString("en")} ${words.state(state).toLowerCase()}`);
    if (spent) parts.push(words.money(spent));
    // The ledger has them too, so a reader who adds up would miss what they cost.
    const earlier = Math.round(Number(raw.earlier_usd) * 1e6);
    if (raw.earlier_hidden) parts.push(`${raw.earlier_hidden.toLocaleString("en")} of earlier plans not shown${earlier ? `, ${words.money(earlier)}` : ""}`);
    summary.replaceChildren(
      ...(raw.emulated ? [dom.make("span", { className: "flag", title: "These are the emulator's stand-in pictures; nothing was paid" }, "Emulated")] : []),
      ...(raw.finished ? [] : [dom.make("span", { className: "flag is-running" }, "Running"), refresh.control()].filter(Boolean)),
      dom.make("span", null, parts.join(" · ")),
    );
  }

  function drawPicks() {
    const { picked } = marks.counts();
    picksButton.replaceChildren("Picks", dom.make("span", { className: picked ? "count some" : "count" }, String(picked)));
  }

  marks.whenChanged((shots) => {
    drawPicks();
    if (viewState.now.mark || viewState.now.sort === "stars") {
      drawSummary();
      stage.draw(viewState.now);
    } else stage.refresh(shots);
    panel.draw();
    lightbox.redraw();
    compare.redraw();
  });

  find.addEventListener("input", () => {
    clearTimeout(find.waiting);
    find.waiting = setTimeout(() => viewState.change({ text: find.value.trim() }), 120);
  });
  find.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" && event.key !== "Enter") return;
    if (event.key === "Escape") find.value = "";
    viewState.change({ text: find.value.trim() });
    stage.focus();
  });
  size.addEventListener("input", () => viewState.change({ size: Number(size.value) }));

  stage.start({
    open: (shot) => lightbox.open(shot),
    section: (parts) => {
      here.hidden = !parts.length;
      here.replaceChildren(...parts);
    },
    cell: (name, shot) => {
      if (name === "compare") compare.toggle(shot);
      else marks.set(shot, { pick: marks.of(shot).pick === (name === "pick" ? 1 : -1) ? 0 : name === "pick" ? 1 : -1 });
    },
    nothing: () => [
      dom.make("p", null, data.shots.length ? "Nothing fits these filters." : "There are no pictures yet."),
      ...(data.shots.length ? [dom.button("Clear all filters", filters.clear, { className: "primary" })] : []),
    ],
  });

  // A picks.yaml may also be dropped anywhere on the page.
  document.addEventListener("dragover", (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault());
  document.addEventListener("drop", (event) => {
    const [file] = event.dataTransfer?.files || [];
    if (!file) return;
    event.preventDefault();
    picksFile.open(file);
  });

  menus.applyTheme();
  viewState.whenChanged(draw);
  keyboard.start();
  printing.start();
  draw(viewState.now);
  refresh.start();
  document.documentElement.dataset.ready = "yes";
})();
