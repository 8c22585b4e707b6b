// picks.yaml: written so that two of them can be compared line by line, and read back.
const picksFile = (() => {
  const outside = new Set(["frame", "run", "version"]);
  const plain = /^[A-Za-z_][A-Za-z0-9_./-]*$/;
  const meansSomething = /^(null|true|false|yes|no|on|off|y|n)$/i;

  // A JSON string is a YAML string; plain only where nobody could read it as anything else.
  function scalar(text) {
    if (plain.test(text) && !meansSomething.test(text)) return text;
    return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ud800-\udfff\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, escaped);
  }

  const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

  function write() {
    const severalRuns = data.raw.runs.length > 1;
    const lines = ["# The pictures chosen in the contact sheet.", "picks: 1", `run: ${scalar(data.raw.runs[0]?.name || data.raw.title)}`];
    const chosen = marks.marked().sort((a, b) => runRank(a) - runRank(b) || a.index - b.index || a.order - b.order);
    lines.push(chosen.length ? "shots:" : "shots: []");
    for (const shot of chosen) lines.push(...entry(shot, severalRuns));
    return `${lines.join("\n")}\n`;
  }

  const runRank = (shot) => (data.ofKind("run") ? data.positionOf(shot, data.ofKind("run").name) : 0);

  // The id of a text is the text made fit for a file name: it stands with its id then. A row or an object has its id alone.
  function standsAt(shot, name) {
    const [id, value] = [data.valueId(shot, name), data.labelOf(shot, name)].map(String);
    return id !== value && bare(id) === bare(value) ? `{id: ${scalar(id)}, value: ${scalar(value)}}` : scalar(id);
  }

  const bare = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

  function entry(shot, severalRuns) {
    const mark = marks.of(shot);
    const coordinates = data.axes
      .filter((axis) => !outside.has(axis.kind) && data.positionOf(shot, axis.name) >= 0)
      .map((axis) => `${scalar(axis.name)}: ${standsAt(shot, axis.name)}`);
    const frame = data.valueOfKind(shot, "frame");
    return [
      `  - id: ${/^[0-9a-f]*[a-f][0-9a-f]*$/.test(shot.id) && !/^[0-9]+e[0-9]+$/.test(shot.id) ? shot.id : JSON.stringify(shot.id)}`,
      severalRuns ? `    run: ${scalar(data.runOf(shot).name)}` : null,
      shot.file ? `    path: ${scalar(withinRun(shot))}` : null,
      `    coordinates: {${coordinates.join(", ")}}`,
      frame === null ? null : `    frame: ${/^[0-9]+$/.test(frame) ? frame : scalar(frame)}`,
      mark.stars ? `    rating: ${mark.stars}` : null,
      mark.note ? `    note: ${scalar(mark.note)}` : null,
      mark.pick === -1 ? "    rejected: true" : mark.pick === 0 ? "    picked: false" : null,
    ].filter(Boolean);
  }

  // With several runs a picture is named from the page, and belongs to its run directory.
  function withinRun(shot) {
    const folder = `${data.runOf(shot).path}/`;
    return shot.file.startsWith(folder) ? shot.file.slice(folder.length) : shot.file;
  }

  // Reads what `write` writes (and the same with other blanks or order of keys); throws with a sentence otherwise.
  function read(text) {
    const lines = text.replace(/^\ufeff/, "").split(/\r?\n/);
    const entries = [];
    let inShots = false;
    let version = null;
    lines.forEach((line, i) => {
      if (!line.trim() || line.trim().startsWith("#")) return;
      const found = /^(\s*)(- )?\s*([A-Za-z_]\w*):\s*(.*)$/.exec(line);
      if (!found) throw new Error(`Line ${i + 1} of this file is not as a sheet writes it.`);
      const [, indent, begins, name, value] = found;
      if (!indent && !begins) {
        if (name === "picks") version = value.trim();
        inShots = name === "shots";
        return;
      }
      if (!inShots) return;
      if (begins) entries.push({});
      if (!entries.length) throw new Error(`Line ${i + 1} of this file stands before the first shot.`);
      entries[entries.length - 1][name] = name === "coordinates" ? value : unquoted(value.trim(), i);
    });
    if (version !== "1") throw new Error("This is not a picks.yaml of version 1.");
    return entries.filter((each) => typeof each.id === "string").map((each) => ({ ...each, rating: Number(each.rating) || 0, rejected: each.rejected === "true", picked: each.picked !== "false" }));
  }

  function unquoted(value, line) {
    if (value.startsWith("'") && value.endsWith("'")) return value.slice(1, -1).replaceAll("''", "'");
    if (!value.startsWith('"')) return value;
    try {
      return JSON.parse(value);
    } catch {
      throw new Error(`The quotes in line ${line + 1} of this file do not close.`);
    }
  }

  function save() {
    const address = URL.createObjectURL(new Blob([write()], { type: "application/yaml" }));
    const link = dom.make("a", { href: address, download: "picks.yaml", hidden: true });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    const { picked, rejected } = marks.counts();
    dom.say(`picks.yaml: ${picked} picked, ${rejected} rejected. Put it beside the job file.`);
  }

  async function open(file) {
    try {
      const entries = read(await file.text());
      const found = marks.take(entries);
      dom.say(found === entries.length ? `${words.count(found, "shot")} taken from ${file.name}.` : `${found} of ${words.count(entries.length, "shot")} in ${file.name} belong to this sheet.`);
    } catch (fault) {
      dom.say(fault.message);
    }
  }

  return { write, read, save, open, scalar };
})();
