// What is shown and how, kept in the address after "#", so that a link or a reload brings the same view back.
const viewState = (() => {
  const captionNames = ["coordinates", "prompt", "seed", "cost", "time"];
  const heard = [];
  const first = firstView();
  let view = read();

  // As the job's `sheet:` asks; where it is silent: the longest axes on the grid, seeds to step through.
  function firstView() {
    const asked = data.raw.view || {};
    const known = (name) => (data.axis(name) ? name : null);
    const made = {
      mode: "grid",
      x: known(asked.x),
      y: known(asked.y),
      rows: (asked.rows || []).filter(known),
      cols: (asked.cols || []).filter(known),
      at: {},
      only: {},
      states: [],
      mark: "",
      text: "",
      differs: false,
      size: 0,
      captions: (asked.caption || ["coordinates"]).filter((name) => captionNames.includes(name)),
      sort: "order",
      group: "",
      open: null,
      compare: [],
      comparing: "",
    };
    placeTheRest(made, known(asked.cycle));
    const across = (made.x ? 1 : 0) + made.cols.length;
    const down = (made.y ? 1 : 0) + made.rows.length;
    if (!across || across + down < 2) made.mode = "gallery"; // one long row, or one long column, is no grid
    return made;
  }

  function placeTheRest(made, cycle) {
    const placed = new Set([made.x, made.y, ...made.rows, ...made.cols, cycle].filter(Boolean));
    const free = data.axes.filter((axis) => !placed.has(axis.name) && axis.values.length > 1);
    const stepped = free.filter((axis) => axis.name === "seed" || ["repeat", "frame", "version"].includes(axis.kind));
    const spread = free.filter((axis) => !stepped.includes(axis) && !axes.tied.has(axis.name)).map((axis) => axis.name);
    const run = data.ofKind("run")?.name;
    if (spread.includes(run) && !made.cols.length && made.x) made.cols = spread.splice(spread.indexOf(run), 1);
    if (!made.x && spread.length) made.x = spread.pop();
    if (!made.y && spread.length) made.y = spread.pop();
    const seeds = stepped.map((axis) => axis.name).filter((name) => !axes.tied.has(name));
    if (made.x && !made.y && seeds.length) made.y = seeds.shift();
    made.rows = [...made.rows, ...spread];
  }

  // Axes that are on none of the four places are stepped through.
  function stepped(of = view) {
    const placed = new Set([of.x, of.y, ...of.rows, ...of.cols].filter(Boolean));
    return data.axes.filter((axis) => !placed.has(axis.name) && axis.values.length > 1);
  }

  // Where a stepped axis stands: a position, or "all". Tied axes stand at "all": their values follow the others'.
  function standsAt(name, of = view) {
    if (of.at[name] === "*") return "all";
    const axis = data.axis(name);
    const allowed = axis.values.map((value, i) => [value.id, i]).filter(([id]) => !of.only[name] || of.only[name].includes(id));
    const found = allowed.find(([id]) => id === of.at[name]);
    if (found) return found[1];
    return axes.tied.has(name) || !allowed.length ? "all" : allowed[0][1];
  }

  // An axis to a place: x, y, rows, cols or step. What stood in x or y changes places with it.
  function place(name, to) {
    const before = placeOf(name);
    if (before === to) return;
    const next = { x: view.x, y: view.y, rows: view.rows.filter((each) => each !== name), cols: view.cols.filter((each) => each !== name) };
    if (next.x === name) next.x = null;
    if (next.y === name) next.y = null;
    if (to === "x" || to === "y") {
      const there = view[to];
      next[to] = name;
      if (there && (before === "x" || before === "y")) next[before] = there;
      else if (there && (before === "rows" || before === "cols")) next[before] = view[before].map((each) => (each === name ? there : each));
    } else if (to !== "step") next[to] = [...next[to], name];
    change({ ...next, mode: next.x || next.y || next.rows.length || next.cols.length ? "grid" : "gallery" });
  }

  function placeOf(name) {
    if (view.x === name) return "x";
    if (view.y === name) return "y";
    if (view.rows.includes(name)) return "rows";
    return view.cols.includes(name) ? "cols" : "step";
  }

  function swap(one, other) {
    const exchanged = (name) => (name === one ? other : name === other ? one : name);
    change({ x: exchanged(view.x), y: exchanged(view.y), rows: view.rows.map(exchanged), cols: view.cols.map(exchanged), mode: "grid" });
  }

  function read() {
    const asked = new URLSearchParams(window.location.hash.slice(1));
    const has = (name) => asked.has(name);
    const axisOr = (name, otherwise) => (has(name) ? (data.axis(asked.get(name)) ? asked.get(name) : null) : otherwise);
    const listOr = (name, otherwise) => (has(name) ? asked.getAll(name).filter((each) => data.axis(each)) : otherwise);
    const made = {
      mode: ["grid", "gallery"].includes(asked.get("mode")) ? asked.get("mode") : first.mode,
      x: axisOr("x", first.x),
      y: axisOr("y", first.y),
      rows: listOr("rows", first.rows),
      cols: listOr("cols", first.cols),
      at: {},
      only: {},
      states: asked.getAll("state").filter(Boolean),
      mark: asked.get("mark") || "",
      text: asked.get("find") || "",
      differs: asked.get("differs") === "1",
      size: Math.min(768, Math.max(0, Number(asked.get("size")) || 0)),
      captions: has("caption") ? asked.getAll("caption").filter((name) => captionNames.includes(name)) : first.captions,
      sort: asked.get("sort") || first.sort,
      group: asked.get("group") || first.group,
      open: data.byKey.has(asked.get("open")) ? asked.get("open") : null,
      compare: asked.getAll("compare").filter((key) => data.byKey.has(key)).slice(0, 4),
      comparing: ["side", "slider", "blink"].includes(asked.get("with")) ? asked.get("with") : "",
    };
    for (const axis of data.axes) {
      if (has(`at.${axis.name}`)) made.at[axis.name] = asked.get(`at.${axis.name}`);
      if (has(`only.${axis.name}`)) made.only[axis.name] = asked.getAll(`only.${axis.name}`);
    }
    return unrepeated(made);
  }

  // An axis stands in one place, whatever an edited address says.
  function unrepeated(made) {
    const seen = new Set();
    const once = (name) => name && !seen.has(name) && Boolean(seen.add(name));
    made.x = once(made.x) ? made.x : null;
    made.y = once(made.y) ? made.y : null;
    made.rows = made.rows.filter(once);
    made.cols = made.cols.filter(once);
    return made;
  }

  // Only what is not as it was at first, so that addresses stay short.
  function written(of) {
    const asked = new URLSearchParams();
    const one = (name, value, usual) => value !== usual && asked.set(name, value ?? "");
    const many = (name, values, usual) => {
      if (values.join("\n") === usual.join("\n")) return;
      for (const value of values.length ? values : [""]) asked.append(name, value);
    };
    one("mode", of.mode, first.mode);
    one("x", of.x, first.x);
    one("y", of.y, first.y);
    many("rows", of.rows, first.rows);
    many("cols", of.cols, first.cols);
    for (const [name, id] of Object.entries(of.at)) asked.set(`at.${name}`, id);
    for (const [name, ids] of Object.entries(of.only)) for (const id of ids) asked.append(`only.${name}`, id);
    for (const state of of.states) asked.append("state", state);
    one("mark", of.mark, "");
    one("find", of.text, "");
    one("differs", of.differs ? "1" : "", "");
    one("size", String(of.size), "0");
    many("caption", of.captions, first.captions);
    one("sort", of.sort, first.sort);
    one("group", of.group, first.group);
    one("open", of.open || "", "");
    for (const key of of.compare) asked.append("compare", key);
    one("with", of.comparing, "");
    return asked.toString();
  }

  function change(part, { layer = false } = {}) {
    view = { ...view, ...part };
    const address = `#${written(view)}`;
    try {
      window.history[layer ? "pushState" : "replaceState"]({ layer }, "", address);
    } catch {
      window.location.replace(address);
    }
    tell();
  }

  const tell = () => heard.forEach((act) => act(view));
  const whenChanged = (act) => heard.push(act);
  const reset = () => change({ ...first, open: null });

  // A layer (a picture opened large, a comparison) lies on the sheet; the browser's Back takes it away too.
  let isLeaving = false;
  function leave(part) {
    change(part);
    if (!window.history.state?.layer) return;
    isLeaving = true;
    window.history.back();
  }

  window.addEventListener("popstate", () => {
    if (isLeaving) {
      isLeaving = false;
      change({});
      return;
    }
    const next = read();
    if (view.comparing && !next.comparing) change({ comparing: "" });
    else if (view.open && !next.open) change({ open: null });
    else if (written(next) !== written(view)) {
      view = next;
      tell();
    }
  });

  return {
    get now() {
      return view;
    },
    first, captionNames, change, leave, place, placeOf, swap, stepped, standsAt, whenChanged, reset, tell,
  };
})();
