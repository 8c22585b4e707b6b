// The panel beside the pictures: filters, and for each value of each axis how many were kept and what it costs.
const panel = (() => {
  const element = dom.make("aside", { id: "panel", hidden: true, "aria-label": "Filter and tally" });

  function toggle(open = element.hidden) {
    element.hidden = !open;
    if (open) draw();
    document.getElementById("filter-button")?.setAttribute("aria-expanded", String(open));
    if (open) element.querySelector("button, input")?.focus();
    else stage.focus();
  }

  function draw() {
    if (element.hidden) return;
    const scrolled = element.scrollTop;
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset.mark : null;
    element.replaceChildren(heading(), quick(), states(), rating(), ...data.axes.map(tally));
    element.scrollTop = scrolled;
    if (focused) element.querySelector(`[data-mark="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  function heading() {
    return dom.make("div", { className: "panel-head" }, dom.make("h2", null, "Filter"), filters.active().length ? marked("clear", dom.button("Clear all", filters.clear, { className: "text" })) : null, dom.button("Close", () => toggle(false), { className: "text" }));
  }

  const marked = (mark, made) => {
    (made.querySelector?.("input") || made).dataset.mark = mark;
    return made;
  };

  function quick() {
    const view = viewState.now;
    return dom.make(
      "div", { className: "group" },
      marked("differs", dom.check("Only what differs", view.differs, (on) => viewState.change({ differs: on }))),
      marked("unrated", dom.check("Only what is unrated", view.mark === "unrated", (on) => viewState.change({ mark: on ? "unrated" : "" }))),
      marked("failed", dom.check("Only what went wrong", isWrongOnly(view), (on) => viewState.change({ states: on ? wrongStates() : [] }))),
    );
  }

  const wrongStates = () => ["moderated", "rejected", "failed", "unknown", "lost", "stalled", "missing"].filter((state) => data.shots.some((shot) => shot.state === state));
  const isWrongOnly = (view) => view.states.length > 0 && view.states.slice().sort().join() === wrongStates().sort().join();

  function states() {
    const counts = new Map();
    for (const shot of data.shots) counts.set(shot.state, (counts.get(shot.state) || 0) + 1);
    if (counts.size < 2) return dom.make("div", { hidden: true });
    const view = viewState.now;
    return dom.make("fieldset", { className: "group" }, dom.make("legend", null, "State"), [...counts].map(([state, n]) => marked(`state ${state}`, counted(dom.check(words.state(state), view.states.includes(state), (on) => viewState.change({ states: on ? [...view.states, state] : view.states.filter((each) => each !== state) })), n))));
  }

  function counted(made, n) {
    made.append(dom.make("span", { className: "count" }, n.toLocaleString("en")));
    return made;
  }

  function rating() {
    const select = dom.make("select", { "aria-label": "Marks", onchange: (event) => viewState.change({ mark: event.target.value }) }, filters.markChoices.map(([value, label]) => dom.make("option", { value }, label)));
    select.value = viewState.now.mark;
    return dom.make("div", { className: "group" }, dom.make("h3", null, "Marks"), marked("marks", select));
  }

  // "guidance 4: 28 of 36", and the money that went into it.
  function tally(axis) {
    const rows = axis.values.map((value) => ({ value, all: 0, kept: 0, micros: 0, priced: 0 }));
    for (const shot of data.shots) {
      const row = rows[shot.c[axis.position]];
      if (!row) continue;
      row.all += 1;
      row.kept += marks.isPicked(shot) ? 1 : 0;
      row.micros += shot.micros;
      row.priced += shot.usd === null ? 0 : 1;
    }
    if (axis.values.length < 2) return dom.make("div", { hidden: true });
    const anyKept = rows.some((row) => row.kept);
    return dom.make(
      "table", { className: "tally" },
      dom.make("caption", null, dom.foreign(axis.title)),
      dom.make("thead", null, dom.make("tr", null, ["Value", anyKept ? "Kept" : "Shots", "Cost"].map((title) => dom.make("th", { scope: "col" }, title)))),
      dom.make("tbody", null, rows.map((row) => tallyRow(axis, row, anyKept))),
    );
  }

  function tallyRow(axis, row, anyKept) {
    const only = viewState.now.only[axis.name];
    const box = dom.check("", !only || only.includes(row.value.id), (on) => choose(axis, row.value.id, on));
    box.querySelector("span").append(dom.foreign(String(row.value.label ?? row.value.id)));
    const bar = dom.make("span", { className: "bar", "aria-hidden": "true" });
    bar.style.inlineSize = `${row.all ? Math.round((100 * row.kept) / row.all) : 0}%`;
    return dom.make(
      "tr", null,
      dom.make("th", { scope: "row" }, marked(`${axis.name} ${row.value.id}`, box), dom.button(`Only ${axis.title} ${row.value.label ?? row.value.id}`, () => viewState.change({ only: { ...viewState.now.only, [axis.name]: [row.value.id] } }), { className: "text only" }, "only")),
      dom.make("td", null, anyKept ? `${row.kept} of ${row.all}` : String(row.all), anyKept ? bar : null),
      dom.make("td", { title: row.kept ? `${words.money(Math.round(row.micros / row.kept))} for each picture kept` : "" }, row.priced ? words.money(row.micros) : "–"),
    );
  }

  function choose(axis, id, on) {
    const { [axis.name]: before, ...others } = viewState.now.only;
    const all = axis.values.map((value) => value.id);
    const chosen = all.filter((each) => (each === id ? on : !before || before.includes(each)));
    viewState.change({ only: chosen.length === all.length ? others : { ...others, [axis.name]: chosen.length ? chosen : ["\u0000none"] } });
  }

  return { element, toggle, draw };
})();
