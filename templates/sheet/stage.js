// The part that scrolls. Of ten thousand pictures only those near the window have elements.
const stage = (() => {
  // Pixels around the window that are drawn as well: few while it moves, more when it rests.
  const beyondMoving = { down: 120, across: 40 };
  const beyondResting = { down: 600, across: 400 };
  const rests = 120; // milliseconds without a scroll
  let beyond = beyondResting;
  const columnsAtOnce = 16; // with more columns than this, they too are drawn only near the window
  let plan = null;
  let view = null;
  let names = [];
  let drawn = new Map();
  let current = null; // { line, column } of the cell that keys act on
  let stoodOn = null; // the last shot there; the cell itself may be empty
  let rest = 0;
  let everything = false;
  let acts = {};

  const scroller = dom.make("main", { id: "stage", tabIndex: -1 });
  const table = dom.make("div", { id: "grid", role: "grid", tabIndex: 0, "aria-label": "Pictures" });
  const heads = dom.make("div", { className: "heads", role: "rowgroup" });
  const canvas = dom.make("div", { className: "canvas", role: "rowgroup" });
  const nothing = dom.make("div", { className: "nothing", hidden: true });
  table.append(heads, canvas);
  scroller.append(table, nothing);

  function start(given) {
    acts = given;
    scroller.addEventListener("scroll", soon, { passive: true });
    new ResizeObserver(() => resized()).observe(scroller);
    canvas.addEventListener("pointerover", (event) => {
      const element = event.target.closest(".cell");
      if (element && event.pointerType === "mouse") cell.equip(element, acts.cell);
    });
    canvas.addEventListener("click", (event) => {
      const element = event.target.closest(".cell");
      if (!element || element.classList.contains("empty")) return;
      const shot = data.byKey.get(element.dataset.key);
      stand(cursor.placeOf(plan, shot), { scroll: false });
      if (event.ctrlKey || event.metaKey || event.shiftKey) acts.cell("compare", shot);
      else acts.open(shot);
    });
  }

  let width = 0;
  function resized() {
    if (scroller.clientWidth === width || !view) return;
    const anchor = firstShown();
    keepingInSight(() => {
      layOut(view);
      if (anchor) bringIn(cursor.placeOf(plan, anchor), "start");
    });
  }

  let isWaiting = false;
  function soon() {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => {
      isWaiting = false;
      beyond = beyondMoving;
      fill();
      clearTimeout(resting);
      resting = setTimeout(() => {
        beyond = beyondResting;
        fill();
      }, rests);
    });
  }
  let resting = null;

  function room() {
    width = scroller.clientWidth;
    return { width: everything ? 980 : width, height: scroller.clientHeight };
  }

  function draw(now) {
    keepingInSight(() => layOut(now));
  }

  // The window stays where it is, unless the cell under the cursor would leave it.
  function keepingInSight(act) {
    const wasInSight = !current || isInSight();
    act();
    if (current && wasInSight && !isInSight()) bringIn(current);
    fill();
  }

  function isInSight() {
    if (!current) return false;
    const row = plan.lines[current.line];
    const column = plan.columns[current.column];
    const isWithin = (start, size, from, room) => start + size > from && start < from + room;
    return isWithin(row.top, row.picture, scroller.scrollTop, scroller.clientHeight - rest) && isWithin(column.left, column.width, scroller.scrollLeft + plan.rowHead, scroller.clientWidth - plan.rowHead);
  }

  function layOut(now) {
    const shots = filters.shown(now);
    const before = plan;
    view = now;
    names = captions.namesFor(view);
    plan = view.mode === "grid" ? grid.layout(view, shots, room()) : gallery.layout(view, shots, room());
    canvas.replaceChildren();
    drawn = new Map();
    canvas.style.height = `${plan.height}px`;
    table.style.width = `${Math.max(plan.width, everything ? 0 : scroller.clientWidth)}px`;
    table.classList.toggle("is-gallery", view.mode === "gallery");
    rest = headDepth();
    const rows = plan.lines.length + plan.heads.length;
    table.setAttribute("aria-rowcount", rows);
    table.setAttribute("aria-colcount", plan.columns.length + 1);
    table.hidden = !shots.length;
    nothing.hidden = Boolean(shots.length);
    if (!shots.length) nothing.replaceChildren(...acts.nothing());
    place(cursor.follow(stoodOn, before, plan));
  }

  const headDepth = () => plan.heads.length * 30;

  // Draws what is near the window and lets go of the rest.
  function fill() {
    if (!plan) return;
    const top = everything ? 0 : scroller.scrollTop - beyond.down;
    const bottom = everything ? Infinity : scroller.scrollTop + scroller.clientHeight + beyond.down;
    const [fromColumn, toColumn] = columnRange();
    const columnsKey = `${fromColumn}-${toColumn}`;
    if (heads.dataset.columns !== columnsKey || heads.plan !== plan) drawHeads(fromColumn, toColumn, columnsKey);
    const wanted = new Set();
    for (let i = lineAt(top); i < plan.lines.length && plan.lines[i].top <= bottom; i += 1) wanted.add(i);
    for (const [i, line] of drawn) {
      if (wanted.has(i) && line.dataset.columns === columnsKey) continue;
      line.remove();
      drawn.delete(i);
    }
    const fresh = document.createDocumentFragment();
    for (const i of wanted) {
      if (drawn.has(i)) continue;
      const line = lineElement(i, fromColumn, toColumn);
      line.dataset.columns = columnsKey;
      drawn.set(i, line);
      fresh.append(line);
    }
    canvas.append(fresh);
    nameSection();
    showCurrent();
  }

  function columnRange() {
    if (everything || plan.columns.length <= columnsAtOnce) return [0, plan.columns.length - 1];
    const left = scroller.scrollLeft - beyond.across;
    const right = scroller.scrollLeft + scroller.clientWidth + beyond.across;
    let from = plan.columns.findIndex((column) => column.left + column.width >= left);
    let to = plan.columns.findIndex((column) => column.left > right);
    if (to < 0) to = plan.columns.length;
    from = Math.max(0, Math.floor(from / 4) * 4);
    return [from, Math.min(plan.columns.length - 1, Math.ceil(to / 4) * 4)];
  }

  function lineAt(top) {
    let low = 0;
    let high = plan.lines.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (plan.lines[middle].top + plan.lines[middle].height < top) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function drawHeads(from, to, key) {
    heads.dataset.columns = key;
    heads.plan = plan;
    const rows = plan.heads.map((head, level) => {
      const isLast = level === plan.heads.length - 1;
      const named = isLast ? cornerText() : [dom.make("span", { className: "axis" }, `${data.axis(head.name).title} →`)];
      // Without an axis down the rows the corner is a few pixels wide.
      const corner = dom.make("div", { className: "corner", role: "columnheader", "aria-colindex": 1 }, view.y ? named : []);
      corner.style.width = `${plan.rowHead}px`;
      const row = dom.make("div", { className: "head", role: "row", "aria-rowindex": level + 1 }, corner);
      for (const span of head.spans) {
        if (span.to < from || span.from > to) continue;
        const first = plan.columns[span.from];
        const last = plan.columns[span.to];
        const element = dom.make("div", { className: "column", role: "columnheader", "aria-colindex": span.from + 2, "aria-colspan": span.to - span.from + 1, title: `${data.axis(head.name).title} ${span.label}: ${words.count(span.count, "shot")}` }, dom.make("span", { className: "label" }, dom.foreign(span.label), dom.make("span", { className: "count" }, String(span.count))));
        element.style.left = `${first.left}px`;
      element.firstChild.style.insetInlineStart = `${plan.rowHead + grid.gap}px`; // so that it stays in sight of a wide span
        element.style.width = `${last.left + last.width - first.left}px`;
        row.append(element);
      }
      return row;
    });
    heads.replaceChildren(...rows);
    heads.hidden = !rows.length;
  }

  function cornerText() {
    const lines = [];
    if (view.x) lines.push(dom.make("span", { className: "axis" }, `${data.axis(view.x).title} →`));
    if (view.y) lines.push(dom.make("span", { className: "axis" }, `${data.axis(view.y).title} ↓`));
    return lines;
  }

  function lineElement(i, from, to) {
    const line = plan.lines[i];
    const element = dom.make("div", { role: "row", "aria-rowindex": plan.heads.length + i + 1, className: `line is-${line.kind}` });
    element.style.top = `${line.top}px`;
    element.style.height = `${line.height}px`;
    if (line.kind === "section") {
      element.append(dom.make("div", { className: "section", role: "rowheader" }, sectionText(line), dom.make("span", { className: "count" }, words.count(line.count, "shot"))));
      return element;
    }
    const head = dom.make("div", { className: "rowhead", role: view.mode === "grid" && view.y ? "rowheader" : "presentation" }, view.y && view.mode === "grid" ? [dom.foreign(line.label), dom.make("span", { className: "count" }, String(line.count))] : []);
    head.style.width = `${plan.rowHead}px`;
    element.append(head);
    for (let at = from; at <= to; at += 1) {
      const column = plan.columns[at];
      const shots = line.cells[at];
      if (!shots && view.mode === "gallery") continue;
      const made = cell.make(shots, { id: `c${i}-${at}`, view, names, width: column.width, picture: line.picture });
      made.setAttribute("aria-colindex", at + 2);
      made.style.left = `${column.left}px`;
      made.style.width = `${column.width}px`;
      if (!shots) made.style.height = `${line.picture}px`;
      element.append(made);
    }
    return element;
  }

  function sectionText(line) {
    return line.label.map(([title, label]) => dom.make("span", { className: "part" }, title ? dom.make("span", { className: "axis" }, title, " ") : null, dom.foreign(label)));
  }

  // The heading of the section one is in, beside the headings that stay.
  function nameSection() {
    const line = plan.lines[lineAt(scroller.scrollTop + 1)];
    const section = line && (line.kind === "section" ? line : line.section);
    const isAway = section && section.top < scroller.scrollTop - 4;
    acts.section(isAway ? sectionText(section) : []);
  }

  const isCell = (line, column) => cursor.isCell(plan, line, column);

  function shot() {
    return current && plan && isCell(current.line, current.column) ? plan.lines[current.line].cells[current.column][0] : null;
  }

  // By arrow keys: over holes and headings to the next cell in that direction.
  function move(across, down) {
    if (!current) return;
    let { line, column } = current;
    for (;;) {
      line += down;
      column += across;
      if (view.mode === "gallery" && across && !isCell(line, column)) [line, column] = nextLine(line, across);
      if (line < 0 || line >= plan.lines.length || column < 0 || column >= plan.columns.length) return;
      if (isCell(line, column)) break;
      if (view.mode === "gallery" && down && plan.lines[line].kind === "row") {
        column = plan.lines[line].cells.reduce((last, each, i) => (each ? i : last), 0);
        break;
      }
    }
    stand({ line, column });
  }

  function nextLine(line, across) {
    let at = line + across;
    while (plan.lines[at] && plan.lines[at].kind !== "row") at += across;
    if (!plan.lines[at]) return [-1, -1];
    return [at, across > 0 ? 0 : plan.lines[at].cells.reduce((last, each, i) => (each ? i : last), 0)];
  }

  function toEnd(sign, { whole }) {
    if (!current) return;
    const lines = plan.lines.map((_, i) => i).filter((i) => plan.lines[i].kind === "row");
    const line = whole ? lines[sign < 0 ? 0 : lines.length - 1] : current.line;
    const filled = plan.lines[line].cells.map((each, i) => (each ? i : -1)).filter((i) => i >= 0);
    if (filled.length) stand({ line, column: sign < 0 ? filled[0] : filled[filled.length - 1] });
  }

  function page(sign) {
    const rows = Math.max(1, Math.floor((scroller.clientHeight - rest) / (plan.lines[current?.line ?? 0]?.height || 1)));
    for (let i = 0; i < rows; i += 1) move(0, sign);
  }

  function place(there) {
    current = there;
    stoodOn = shot() || stoodOn;
  }

  function stand(there, { scroll = true } = {}) {
    if (!there) return;
    place(there);
    if (scroll) bringIn(there);
    fill();
    acts.stood?.(shot());
  }

  function bringIn({ line, column }, at = "nearest") {
    const row = plan.lines[line];
    const across = plan.columns[column];
    // Above the canvas stand the headings, and they stay: they cover nothing while top is counted from the canvas.
    const above = row.section && plan.lines[line - 1] === row.section ? row.section.height : 0;
    const high = scroller.clientHeight - rest;
    const top = row.top - above - grid.gap;
    const bottom = row.top + row.height;
    if (at === "start" || top < scroller.scrollTop) scroller.scrollTop = top;
    else if (bottom > scroller.scrollTop + high) scroller.scrollTop = bottom - high;
    const left = across.left - plan.rowHead - grid.gap;
    const right = across.left + across.width + grid.gap;
    if (left < scroller.scrollLeft) scroller.scrollLeft = left;
    else if (right > scroller.scrollLeft + scroller.clientWidth) scroller.scrollLeft = right - scroller.clientWidth;
  }

  function showCurrent() {
    canvas.querySelector(".current")?.classList.remove("current");
    const element = current && document.getElementById(`c${current.line}-${current.column}`);
    if (element) {
      element.classList.add("current");
      table.setAttribute("aria-activedescendant", element.id);
    } else table.removeAttribute("aria-activedescendant");
  }

  // To a shot, wherever it stands; false when this view does not show it.
  function reveal(shot) {
    const there = cursor.placeOf(plan, shot);
    if (!there) return false;
    place(there);
    bringIn(there);
    fill();
    return true;
  }

  function firstShown() {
    const line = plan.lines.slice(lineAt(scroller.scrollTop + 1)).find((each) => each.kind === "row");
    return line ? (line.cells.find(Boolean) || [null])[0] : null;
  }

  function refresh(shots) {
    const keys = new Set(shots.map((each) => each.key));
    for (const element of canvas.querySelectorAll(".cell[data-key]")) if (keys.has(element.dataset.key)) cell.refresh(element, data.byKey.get(element.dataset.key));
    showCurrent();
  }

  // For paper every line is drawn, at the width of a page.
  function drawAll(on) {
    everything = on;
    if (view) draw(view);
  }

  const focus = () => table.focus({ preventScroll: true });
  const scrolled = () => [scroller.scrollLeft, scroller.scrollTop];
  function scrollTo([left, top]) {
    scroller.scrollTo(left, top);
    fill();
  }

  return {
    element: scroller, table, start, draw, move, toEnd, page, shot, reveal, refresh, focus, scrolled, scrollTo, drawAll,
    get size() {
      return plan ? plan.size : 0;
    },
    get shots() {
      return plan ? plan.lines.flatMap((line) => (line.cells || []).flat().filter(Boolean)) : [];
    },
  };
})();
