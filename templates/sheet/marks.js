// What was chosen: picked, rejected, stars and a note for each picture; kept in the browser at once.
const marks = (() => {
  const none = Object.freeze({ pick: 0, stars: 0, note: "" });
  const heard = [];
  let kept = new Map();
  let isKept = true;

  function load() {
    const saved = store.read("marks");
    kept = new Map(saved === null ? given() : Object.entries(saved).map(([key, mark]) => [key, clean(mark)]));
  }

  // What the sheet brought along from a picks.yaml, until the browser has something newer.
  function given() {
    const entries = [];
    for (const [row, rating, note, picked, rejected] of data.raw.picks || []) {
      if (data.shots[row]) entries.push([data.shots[row].key, markOf({ rating, note, picked, rejected })]);
    }
    return entries;
  }

  function isSame(shot, entry) {
    const frame = data.valueOfKind(shot, "frame");
    const same = shot.id === entry.id && (frame === null || entry.frame === undefined || String(entry.frame) === frame);
    return same && (entry.run === undefined || data.runOf(shot).name === entry.run);
  }

  const markOf = (entry) => clean({ pick: entry.rejected ? -1 : entry.picked === false ? 0 : 1, stars: entry.rating || 0, note: entry.note || "" });

  function clean(mark) {
    return {
      pick: mark.pick === 1 || mark.pick === -1 ? mark.pick : 0,
      stars: Math.min(5, Math.max(0, Math.trunc(Number(mark.stars)) || 0)),
      note: typeof mark.note === "string" ? mark.note.slice(0, 4000) : "",
    };
  }

  const of = (shot) => kept.get(shot.key) || none;

  function set(shot, part) {
    const mark = clean({ ...of(shot), ...part });
    if (mark.pick || mark.stars || mark.note) kept.set(shot.key, mark);
    else kept.delete(shot.key);
    save([shot]);
  }

  function save(shots) {
    const wasKept = isKept;
    isKept = store.write("marks", Object.fromEntries(kept));
    heard.forEach((act) => act(shots));
    // Last of all, so that what is said about the mark does not take its place.
    if (wasKept && !isKept) setTimeout(() => dom.say("This browser keeps nothing for this page: export the picks before you close it."));
  }

  // Puts the entries of a picks.yaml in; says how many belong to pictures of this sheet.
  function take(entries) {
    let found = 0;
    for (const entry of entries) {
      const shots = data.shots.filter((shot) => isSame(shot, entry));
      found += shots.length ? 1 : 0;
      for (const shot of shots) kept.set(shot.key, markOf(entry));
    }
    save(data.shots);
    return found;
  }

  function clear() {
    kept.clear();
    save(data.shots);
  }

  const marked = () => data.shots.filter((shot) => kept.has(shot.key));
  const isPicked = (shot) => of(shot).pick === 1;
  const isRejected = (shot) => of(shot).pick === -1;
  const whenChanged = (act) => heard.push(act);

  function counts() {
    const all = marked();
    return { picked: all.filter(isPicked).length, rejected: all.filter(isRejected).length, marked: all.length };
  }

  function inWords(shot) {
    const mark = of(shot);
    return [mark.pick === 1 ? "picked" : mark.pick === -1 ? "rejected" : "", mark.stars ? words.count(mark.stars, "star") : "", mark.note ? "has a note" : ""].filter(Boolean).join(", ");
  }

  load();
  store.whenWritten("marks", () => {
    load();
    heard.forEach((act) => act(data.shots));
  });

  return { of, set, take, clear, marked, isPicked, isRejected, counts, inWords, whenChanged };
})();
