// The lines under a picture.
const captions = (() => {
  const titles = { coordinates: "Coordinates", prompt: "Prompt", seed: "Seed", cost: "Cost", time: "Time" };

  // In a grid the headings and the stepper already say most coordinates, so only the others stand under each picture.
  function namesFor(view) {
    if (view.mode === "gallery") return data.axes.map((axis) => axis.name).filter((name) => view.group !== `axis ${name}`);
    return viewState.stepped(view).map((axis) => axis.name).filter((name) => viewState.standsAt(name, view) === "all");
  }

  function linesOf(shot, view, names) {
    const lines = [];
    if (view.captions.includes("coordinates") && names.length) lines.push(names.filter((name) => data.positionOf(shot, name) >= 0).map((name) => shortly(shot, name)).join(" · "));
    if (view.captions.includes("prompt")) lines.push(shot.prompt);
    const small = [];
    if (view.captions.includes("seed") && shot.seed !== null) small.push(`seed ${shot.seed}`);
    if (view.captions.includes("cost") && shot.usd !== null) small.push(words.money(shot.micros));
    if (view.captions.includes("time") && shot.seconds !== null) small.push(words.duration(shot.seconds));
    if (view.captions.some((name) => ["seed", "cost", "time"].includes(name))) lines.push(small.join(" · "));
    return lines;
  }

  // A number alone says nothing, so it brings the name of its axis.
  function shortly(shot, name) {
    const label = String(data.labelOf(shot, name));
    return data.axis(name).numeric || /^-?[\d.]+$/.test(label) ? `${data.axis(name).title} ${label}` : label;
  }

  const isLong = (names) => names.length > 3;

  // How many lines every caption of this view has, so that all rows are as high as one another.
  function depth(view) {
    const small = view.captions.some((name) => ["seed", "cost", "time"].includes(name));
    const names = view.captions.includes("coordinates") ? namesFor(view) : [];
    return (isLong(names) ? 2 : Math.min(1, names.length)) + (view.captions.includes("prompt") ? 1 : 0) + (small ? 1 : 0);
  }

  return { titles, namesFor, isLong, linesOf, depth };
})();
