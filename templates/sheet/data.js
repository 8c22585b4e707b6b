// What the page shows: the shots, their axes and texts, as they were written into the page.
const data = (() => {
  const raw = JSON.parse(document.getElementById("sheet-data").textContent);
  const axes = raw.axes.map((axis, position) => ({ ...axis, title: axis.title || axis.name, kind: axis.kind || "job", position }));
  const byName = new Map(axes.map((axis) => [axis.name, axis]));

  function readShots() {
    const names = raw.columns;
    const taken = new Map();
    return raw.shots.map((row, order) => {
      const shot = {};
      names.forEach((name, i) => {
        shot[name] = row[i];
      });
      shot.order = order;
      shot.index = shot.index ?? order;
      shot.micros = words.micros(shot.usd);
      shot.params = raw.params[shot.params] || {};
      shot.prompt = textAt(shot.prompt);
      shot.final = textAt(shot.final);
      shot.reason = textAt(shot.reason);
      shot.refs = (shot.refs || []).map((at) => raw.references[at]).filter(Boolean);
      shot.ratio = ratioOf(shot);
      shot.key = keyOf(shot, taken);
      return shot;
    });
  }

  const textAt = (at) => (at === undefined || at === null || at < 0 ? "" : raw.texts[at]);

  function ratioOf(shot) {
    const wide = shot.w || shot.params.width;
    const high = shot.h || shot.params.height;
    return wide > 0 && high > 0 ? Math.min(8, Math.max(1 / 8, wide / high)) : 1;
  }

  // One picture may stand in several cells, and one shot has several pictures: the frame, the run and the version tell
  // them apart, and a number where nothing else does.
  function keyOf(shot, taken) {
    const parts = ["frame", "run", "version"].map((kind) => valueOfKind(shot, kind)).filter((id) => id !== null);
    const key = [shot.id, ...parts].join("/");
    const before = taken.get(key) || 0;
    taken.set(key, before + 1);
    return before ? `${key}~${before + 1}` : key;
  }

  const axis = (name) => byName.get(name) || null;
  // The axes that are not the job's own: run, version, repeat, frame. A job may have given its own axis such a name.
  const ofKind = (kind) => axes.find((axis) => axis.kind === kind) || null;
  const valueOfKind = (shot, kind) => (ofKind(kind) ? valueId(shot, ofKind(kind).name) : null);
  const positionOf = (shot, name) => (byName.has(name) ? (shot.c[byName.get(name).position] ?? -1) : -1);

  function valueOf(shot, name) {
    const at = positionOf(shot, name);
    return at < 0 ? null : axis(name).values[at] || null;
  }

  function valueId(shot, name) {
    const value = valueOf(shot, name);
    return value === null ? null : value.id;
  }

  function labelAt(name, at) {
    const value = at < 0 ? null : axis(name).values[at];
    return value ? (value.label ?? value.id) || "(empty)" : "none";
  }

  const labelOf = (shot, name) => labelAt(name, positionOf(shot, name));

  // "guidance 2.0, steps 20" for the axes that a shot stands on.
  function coordinates(shot, names = axes.map((each) => each.name)) {
    return names.filter((name) => positionOf(shot, name) >= 0).map((name) => `${axis(name).title} ${labelOf(shot, name)}`);
  }

  const nameOf = (shot) => coordinates(shot).join(", ") || shot.file || shot.id.slice(0, 8);

  // A path becomes an address component by component, behind "./": it can name a file below or beside this page, never
  // a scheme or a host.
  function address(path) {
    return `./${path.split("/").map(encoded).join("/")}`;
  }

  function encoded(component) {
    try {
      return encodeURIComponent(component);
    } catch {
      return encodeURIComponent(component.replace(/[\uD800-\uDFFF]/g, "\uFFFD"));
    }
  }

  const inline = raw.inline || null;

  // size: "s" or "l".
  function thumb(base, size) {
    if (!base) return null;
    const names = [`${base}-${size}.jpg`, `${base}-${size === "s" ? "l" : "s"}.jpg`];
    if (inline) return names.map((name) => inline[name]).find((uri) => typeof uri === "string" && uri.startsWith("data:image/")) || null;
    return address(`.sheet/${names[0]}`);
  }

  function referenceThumb(reference) {
    if (!reference.thumb) return null;
    if (inline) return inline[reference.thumb] && inline[reference.thumb].startsWith("data:image/") ? inline[reference.thumb] : null;
    return address(`.sheet/${reference.thumb}`);
  }

  // In a single file the originals are elsewhere, so the large thumbnail is the best there is.
  const original = (shot) => (shot.file && !inline ? address(shot.file) : null);
  const hasPicture = (shot) => Boolean(shot.thumb || original(shot)) && shot.state !== "missing";
  const runOf = (shot) => raw.runs[ofKind("run") ? Math.max(0, shot.c[ofKind("run").position]) : 0] || raw.runs[0] || { name: raw.title, path: ".", command: "flux2batch run" };

  const shots = readShots();
  const byKey = new Map(shots.map((shot) => [shot.key, shot]));

  return { raw, axes, axis, ofKind, valueOfKind, shots, byKey, positionOf, valueOf, valueId, labelAt, labelOf, coordinates, nameOf, address, thumb, referenceThumb, original, hasPicture, runOf };
})();
