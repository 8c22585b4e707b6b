// Where every picture stands when they simply follow one another, sorted and grouped. Touches no element.
const gallery = (() => {
  const orders = {
    order: ["As planned", (one, other) => one.order - other.order],
    stars: ["Best first", (one, other) => worth(other) - worth(one)],
    cost: ["Dearest first", (one, other) => other.micros - one.micros],
    time: ["Slowest first", (one, other) => (other.seconds || 0) - (one.seconds || 0)],
    state: ["State", (one, other) => stateRank(one) - stateRank(other)],
  };
  const stateOrder = ["done", "moderated", "rejected", "failed", "unknown", "lost", "stalled", "missing", "in_flight", "planned"];
  const stateRank = (shot) => stateOrder.indexOf(shot.state);
  const worth = (shot) => marks.of(shot).pick * 10 + marks.of(shot).stars;

  function sortChoices() {
    return [...Object.entries(orders).map(([name, [label]]) => [name, label]), ...data.axes.map((axis) => [`axis ${axis.name}`, axis.title])];
  }

  function groupChoices() {
    return [["", "Nothing"], ["state", "State"], ["model", "Model"], ...data.axes.filter((axis) => axis.values.length > 1).map((axis) => [`axis ${axis.name}`, axis.title])];
  }

  function sorted(view, shots) {
    const axis = view.sort.startsWith("axis ") ? view.sort.slice(5) : null;
    const compare = axis && data.axis(axis) ? (one, other) => data.positionOf(one, axis) - data.positionOf(other, axis) : (orders[view.sort] || orders.order)[1];
    return [...shots].sort((one, other) => compare(one, other) || one.order - other.order);
  }

  function groupOf(view) {
    if (view.group === "state") return (shot) => [stateRank(shot), words.state(shot.state)];
    if (view.group === "model") return (shot) => [0, shot.params.model || ""];
    const axis = data.axis(view.group.slice(5));
    return axis ? (shot) => [data.positionOf(shot, axis.name), data.labelOf(shot, axis.name)] : null;
  }

  function groups(view, shots) {
    const group = groupOf(view);
    const ordered = sorted(view, shots);
    if (!group) return [[null, ordered]];
    const found = new Map();
    for (const shot of ordered) {
      const [rank, label] = group(shot);
      if (!found.has(label)) found.set(label, { rank, shots: [] });
      found.get(label).shots.push(shot);
    }
    return [...found].sort(([, one], [, other]) => one.rank - other.rank).map(([label, each]) => [label, each.shots]);
  }

  function layout(view, shots, room) {
    const gap = grid.gap;
    const rowHead = 4;
    const free = room.width - rowHead - gap;
    const wanted = view.size || (room.width < 640 ? 150 : room.width > 1800 ? 320 : 236);
    const fitted = Math.max(1, Math.floor((free + gap) / (wanted + gap)));
    const across = view.size ? fitted : Math.max(room.width < 640 ? 2 : 1, fitted);
    const width = Math.floor((free - gap * across) / across);
    const widest = shots.reduce((most, shot) => Math.max(most, Math.sqrt(shot.ratio)), 0) || 1;
    const size = Math.min(width / widest, view.size ? view.size * 1.25 : Infinity);
    const columns = Array.from({ length: across }, (_, i) => ({ key: String(i), at: [i], left: rowHead + gap + i * (width + gap), width, count: 0 }));
    const caption = captions.depth(view) * grid.captionLine;
    const name = view.group.startsWith("axis ") ? data.axis(view.group.slice(5))?.title : "";

    let top = gap;
    const lines = [];
    for (const [label, members] of groups(view, shots)) {
      let section = null;
      if (label !== null) {
        section = { kind: "section", top, height: grid.sectionHeight, label: [[name || "", label]], count: members.length };
        lines.push(section);
        top += grid.sectionHeight;
      }
      for (let i = 0; i < members.length; i += across) {
        const here = members.slice(i, i + across);
        const picture = Math.round(size * Math.max(...here.map((shot) => 1 / Math.sqrt(shot.ratio))));
        const height = picture + caption + gap;
        lines.push({ kind: "row", top, height, picture, count: here.length, section, label: "", cells: columns.map((_, at) => (here[at] ? [here[at]] : null)) });
        top += height;
      }
    }
    return { columns, lines, rowHead, width: room.width, height: top, heads: [], across: [], down: [], size };
  }

  const inOrder = (view, shots) => groups(view, shots).flatMap(([, members]) => members);

  return { layout, inOrder, sortChoices, groupChoices };
})();
