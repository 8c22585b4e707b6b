// The lines under a picture.
const captions = (() => {
  const titles = { coordinates: "Coordinates", prompt: "Prompt", seed: "Seed", cost: "Cost", time: "Time" };

  // In a grid the headings already say most coordinates, so only the others are repeated under each picture.
  function namesFor(view) {
    if (view.mode === "gallery") return data.axes.map((axis) => axis.name);
    return viewState.stepped(view).map((axis) => axis.name);
  }

  function linesOf(shot, view, names) {
    const lines = [];
    if (view.captions.includes("coordinates") && names.length) lines.push(data.coordinates(shot, names).join(" · "));
    if (view.captions.includes("prompt")) lines.push(shot.prompt);
    const small = [];
    if (view.captions.includes("seed") && shot.seed !== null) small.push(`seed ${shot.seed}`);
    if (view.captions.includes("cost") && shot.usd !== null) small.push(words.money(shot.micros));
    if (view.captions.includes("time") && shot.seconds !== null) small.push(words.duration(shot.seconds));
    if (view.captions.some((name) => ["seed", "cost", "time"].includes(name))) lines.push(small.join(" · "));
    return lines;
  }

  // How many lines every caption of this view has, so that all rows are as high as one another.
  function depth(view) {
    const small = view.captions.some((name) => ["seed", "cost", "time"].includes(name));
    const coordinates = view.captions.includes("coordinates") && namesFor(view).length > 0;
    return (coordinates ? 1 : 0) + (view.captions.includes("prompt") ? 1 : 0) + (small ? 1 : 0);
  }

  return { titles, namesFor, linesOf, depth };
})();
