// Which shots are shown.
const filters = (() => {
  const texts = new Map();
  let last = { view: null, stamp: -1, shots: [], keys: new Set() };
  let stamp = 0;
  marks.whenChanged(() => {
    stamp += 1;
  });

  function shown(view = viewState.now) {
    if (last.view === view && last.stamp === stamp) return last.shots;
    const shots = data.shots.filter(matcher(view));
    last = { view, stamp, shots, keys: new Set(shots) };
    return shots;
  }

  function isShown(shot) {
    shown();
    return last.keys.has(shot);
  }

  function matcher(view) {
    const tests = [];
    for (const [name, ids] of Object.entries(view.only)) {
      const axis = data.axis(name);
      const wanted = new Set(ids.map((id) => axis.values.findIndex((value) => value.id === id)));
      tests.push((shot) => wanted.has(shot.c[axis.position]));
    }
    if (view.states.length) tests.push((shot) => view.states.includes(shot.state));
    if (view.mark) tests.push(markTest(view.mark));
    const sought = view.text.toLowerCase().split(/\s+/).filter(Boolean);
    if (sought.length) tests.push((shot) => sought.every((word) => textOf(shot).includes(word)));
    if (view.differs) tests.push(differing(view));
    return (shot) => tests.every((test) => test(shot));
  }

  function markTest(mark) {
    if (mark === "picked") return marks.isPicked;
    if (mark === "rejected") return marks.isRejected;
    if (mark === "unrated") return (shot) => marks.of(shot).stars === 0 && marks.of(shot).pick === 0;
    if (mark === "noted") return (shot) => marks.of(shot).note !== "";
    const least = Number(mark);
    return least >= 1 && least <= 5 ? (shot) => marks.of(shot).stars >= least : () => true;
  }

  function textOf(shot) {
    let text = texts.get(shot);
    if (text === undefined) {
      text = [shot.prompt, shot.final, shot.reason, shot.file, shot.id, shot.task, data.coordinates(shot).join(" ")].join("\n").toLowerCase();
      texts.set(shot, text);
    }
    const note = marks.of(shot).note;
    return note ? `${text}\n${note.toLowerCase()}` : text;
  }

  // Runs or versions side by side, or else what stands in one row: shown where it is not all the same picture.
  function differing(view) {
    const along = data.ofKind("run") || data.ofKind("version") || data.axis(view.x);
    const faces = new Map();
    const groupOf = (shot) => (along ? shot.c.filter((_, i) => i !== along.position).join(",") : "");
    for (const shot of data.shots) {
      const group = groupOf(shot);
      if (!faces.has(group)) faces.set(group, new Set());
      faces.get(group).add(`${shot.state} ${shot.thumb}`);
    }
    return (shot) => faces.get(groupOf(shot)).size > 1;
  }

  // The filters that are on, each with the change that takes it off.
  function active(view = viewState.now) {
    const list = [];
    for (const [name, ids] of Object.entries(view.only)) {
      const labels = ids.map((id) => data.labelAt(name, data.axis(name).values.findIndex((value) => value.id === id)));
      const { [name]: _, ...others } = view.only;
      list.push([`${data.axis(name).title} ${labels.slice(0, 4).join(", ")}${labels.length > 4 ? " …" : ""}`, { only: others }]);
    }
    for (const state of view.states) list.push([words.state(state), { states: view.states.filter((each) => each !== state) }]);
    if (view.mark) list.push([markLabel(view.mark), { mark: "" }]);
    if (view.text) list.push([`“${view.text}”`, { text: "" }]);
    if (view.differs) list.push(["Only what differs", { differs: false }]);
    return list;
  }

  const markChoices = [["", "All"], ["picked", "Picked"], ["rejected", "Rejected"], ["unrated", "Unrated"], ["noted", "With a note"], ["1", "★ or more"], ["2", "★★ or more"], ["3", "★★★ or more"], ["4", "★★★★ or more"], ["5", "★★★★★"]];
  const markLabel = (mark) => (markChoices.find(([value]) => value === mark) || ["", mark])[1];
  const clear = () => viewState.change({ only: {}, states: [], mark: "", text: "", differs: false });

  return { shown, isShown, active, clear, markChoices };
})();
