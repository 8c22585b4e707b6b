// What can be taken away as text: the prompt, the shot as a job file, the command that makes it again.
const copy = (() => {
  const bare = /^[A-Za-z_][A-Za-z0-9_]*$/;

  async function text(what, value) {
    try {
      await navigator.clipboard.writeText(value);
    } catch {
      if (!byHand(value)) {
        dom.say("The browser does not let this page copy.");
        return;
      }
    }
    dom.say(`Copied: ${what}.`);
  }

  // Browsers without a clipboard for pages from disk still copy a selection.
  function byHand(value) {
    const area = dom.make("textarea", { className: "offstage", "aria-hidden": "true" });
    area.value = value;
    (document.querySelector("dialog[open]") || document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }

  // A job of one shot. Every value is literal: texts that hold template signs go in as constants, which are never rendered.
  function job(shot) {
    const constants = [];
    const literal = (value) => {
      if (!/\{[{%#]/.test(value)) return quoted(value);
      constants.push(value);
      return quoted(`{{ text_${constants.length} }}`);
    };
    const { model, ...params } = shot.params;
    const body = [`prompt: ${literal(shot.prompt)}`, "params:", ...paramLines(shot, params), ...referenceLines(shot, literal), "output:", `  path: ${quoted(`${shot.id.slice(0, 8)}-again`)}`];
    return [
      "flux2batch: 1",
      `name: ${quoted(`${data.runOf(shot).name}-${shot.id.slice(0, 8)}`)}`,
      model ? `model: ${quoted(model)}` : null,
      ...(constants.length ? ["vars:", ...constants.map((value, i) => `  text_${i + 1}: ${quoted(value)}`)] : []),
      ...body,
    ].filter((line) => line !== null).join("\n") + "\n";
  }

  const quoted = (value) => picksFile.scalar(String(value));

  function paramLines(shot, params) {
    const lines = Object.entries(params).filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => [name, typeof value === "string" ? quoted(value) : JSON.stringify(value)]);
    const isTrimmed = shot.w && shot.h && params.width && params.height && (shot.w !== params.width || shot.h !== params.height);
    const kept = isTrimmed ? [["size", `{exact: ${shot.w}x${shot.h}}`], ...lines.filter(([name]) => name !== "width" && name !== "height")] : lines;
    if (shot.seed !== null && shot.seed !== undefined) kept.push(["seed", String(shot.seed)]);
    return kept.length ? kept.map(([name, value]) => `  ${quoted(name)}: ${value}`) : ["  {}"];
  }

  function referenceLines(shot, literal) {
    if (!shot.refs.length) return [];
    const used = new Map();
    const lines = shot.refs.map((reference) => {
      const n = (used.get(reference.name) || 0) + 1;
      used.set(reference.name, n);
      const name = quoted(n > 1 ? `${reference.name}_${n}` : reference.name);
      if (reference.kind === "collage") return `  # ${name}: the collage of ${JSON.stringify(reference.source)}`;
      const isColour = reference.kind === "color" || /^#[0-9a-f]{6}$/i.test(reference.source);
      return isColour ? `  ${name}: {color: ${quoted(reference.source)}}` : `  ${name}: ${literal(reference.source)}`;
    });
    return ["references:      # in this order; save this file beside the job, its references are found from there", ...lines];
  }

  // The command that asks for this shot alone. A picture that is there is made again in a folder of its own.
  function command(shot) {
    const run = data.runOf(shot);
    const isThere = shot.state === "done" || shot.state === "missing";
    const isOver = ["moderated", "rejected", "failed", "lost"].includes(shot.state);
    const verb = isOver ? run.command.replace(/^flux2batch run\b/, "flux2batch retry") : run.command;
    const again = isThere ? ` --fresh --out ${shell(`runs/${run.name}-again`)}` : "";
    return `${verb} --only ${shell(expression(shot))}${again}`;
  }

  function expression(shot) {
    const named = data.axes.filter((axis) => !["run", "version", "frame"].includes(axis.kind) && data.positionOf(shot, axis.name) >= 0);
    if (!named.length || named.some((axis) => !bare.test(axis.name))) return `index == ${shot.index}`;
    return named.map((axis) => (axis.kind === "repeat" ? `repeat == ${Number(data.valueId(shot, axis.name)) || 1}` : `${axis.name}.id == ${template(String(data.valueId(shot, axis.name)))}`)).join(" and ");
  }

  const template = (value) => `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
  const shell = (value) => (/^[A-Za-z0-9_./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`);

  return { text, job, command };
})();
