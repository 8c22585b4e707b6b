// Everything that is known about a shot, beside its picture.
const details = (() => {
  // onstep(name, by): to the neighbour along an axis; null where there is none is asked by `can`.
  function make(shot, { onstep, can }) {
    return [
      axesOf(shot, onstep, can),
      choosing(shot),
      actions(shot),
      shot.state === "done" ? null : dom.make("section", { className: "notice" }, dom.make("h3", null, words.state(shot.state)), dom.make("p", { dir: "auto" }, shot.reason || words.meaning(shot.state))),
      shot.state === "done" && shot.reason ? dom.make("section", { className: "notice" }, dom.make("p", { dir: "auto" }, shot.reason)) : null,
      writing("Prompt", shot.prompt),
      shot.final && shot.final !== shot.prompt ? writing("Final prompt", shot.final) : null,
      references(shot),
      dom.make("section", null, dom.make("h3", null, "Parameters"), facts(parameters(shot))),
      dom.make("section", null, dom.make("h3", null, "About this shot"), facts(circumstances(shot))),
    ].filter(Boolean);
  }

  function axesOf(shot, onstep, can) {
    const rows = data.axes.filter((axis) => axis.values.length > 1).map((axis) => {
      const step = (by, name, label) => dom.button(`${label} ${axis.title}`, () => onstep(axis.name, by), { className: "round", disabled: !can(axis.name, by) }, dom.icon(name));
      return dom.make("div", { className: "step" }, dom.make("span", { className: "axis" }, axis.title), step(-1, "left", "Previous"), dom.make("span", { className: "value" }, dom.foreign(data.labelOf(shot, axis.name))), step(1, "right", "Next"));
    });
    return rows.length ? dom.make("section", { className: "steps", "aria-label": "Along the axes" }, rows) : null;
  }

  function choosing(shot) {
    const mark = marks.of(shot);
    const toggle = (name, label, key, pick) => dom.make("button", { type: "button", className: `mark mark-${name}`, "aria-pressed": String(mark.pick === pick), title: `${label} (${key})`, onclick: () => marks.set(shot, { pick: mark.pick === pick ? 0 : pick }) }, dom.icon(name), label);
    const star = (n) => dom.make("button", { type: "button", className: n <= mark.stars ? "star on" : "star", "aria-pressed": String(n === mark.stars), "aria-label": words.count(n, "star"), title: `${words.count(n, "star")} (${n})`, onclick: () => marks.set(shot, { stars: mark.stars === n ? 0 : n }) }, "★");
    const note = dom.make("textarea", { rows: 2, dir: "auto", "aria-label": "Note", placeholder: "Note (N); Esc ends it", className: "note", onchange: (event) => marks.set(shot, { note: event.target.value.trim() }) });
    note.value = mark.note;
    return dom.make("section", { className: "choosing", "aria-label": "Choose" }, dom.make("div", { className: "row" }, toggle("pick", "Pick", "P", 1), toggle("reject", "Reject", "X", -1)), dom.make("div", { className: "row stars", role: "group", "aria-label": "Stars" }, [1, 2, 3, 4, 5].map(star)), note);
  }

  function actions(shot) {
    const original = data.original(shot);
    return dom.make(
      "section", { className: "actions", "aria-label": "Take along" },
      dom.button("Copy prompt", () => copy.text("the prompt", shot.prompt)),
      dom.button("Copy as job file", () => copy.text("the shot as a job file", copy.job(shot))),
      dom.button("Copy command", () => copy.text("the command that makes it again", copy.command(shot))),
      original && data.hasPicture(shot) ? dom.make("a", { href: original, target: "_blank", rel: "noopener noreferrer", className: "button" }, "Open file") : null,
    );
  }

  const writing = (title, text) => (text ? dom.make("section", null, dom.make("h3", null, title), dom.make("p", { className: "writing", dir: "auto" }, text)) : null);

  function references(shot) {
    if (!shot.refs.length) return null;
    return dom.make("section", null, dom.make("h3", null, "References"), dom.make("ol", { className: "references" }, shot.refs.map((reference) => {
      const uri = data.referenceThumb(reference);
      const picture = uri ? dom.make("img", { src: uri, alt: `Reference ${reference.name}`, loading: "lazy" }) : swatch(reference);
      return dom.make("li", null, picture, dom.make("span", null, dom.foreign(reference.name), dom.make("small", { dir: "auto" }, reference.source)));
    })));
  }

  function swatch(reference) {
    const made = dom.make("span", { className: "swatch", "aria-hidden": "true" });
    if (/^#[0-9a-f]{6}$/i.test(reference.source)) made.style.backgroundColor = reference.source;
    return made;
  }

  function parameters(shot) {
    const { model, width, height, ...others } = shot.params;
    // What lies on the disk. Where the job asked for an exact size, the service was asked for the legal one that covers it.
    const size = shot.w && shot.h ? `${shot.w} × ${shot.h}` : null;
    const asked = width && height ? `${width} × ${height}` : null;
    const shown = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
    return [
      ["model", model],
      ["size", size || asked],
      ["asked of the service", size && asked !== size ? asked : null],
      ["seed", shot.seed],
      ...Object.entries(others).map(([name, value]) => [name, value === null || value === undefined ? null : shown(value)]),
    ].filter(([, value]) => value !== null && value !== undefined && value !== "");
  }

  function circumstances(shot) {
    return [
      ["cost", shot.usd === null || shot.usd === undefined ? "not known" : words.money(shot.micros)],
      ["at risk", Number(shot.at_risk) > 0 ? words.money(words.micros(shot.at_risk)) : null],
      ["time", words.duration(shot.seconds)],
      ["file", shot.file],
      ["task", shot.task],
      ["shot", shot.id],
      ["number", String(shot.index + 1)],
    ].filter(([, value]) => value);
  }

  const facts = (list) => dom.make("dl", null, list.map(([name, value]) => dom.make("div", null, dom.make("dt", null, dom.foreign(name)), dom.make("dd", { dir: "auto" }, String(value)))));

  return { make, parameters, circumstances };
})();
