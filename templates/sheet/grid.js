// Where every picture stands when axes run across and down: columns, and lines from top to bottom. Touches no element.
const grid = (() => {
  const gap = 8;
  const captionLine = 18;
  const sectionHeight = 40;

  function layout(view, shots, room) {
    const across = [...view.cols, ...(view.x ? [view.x] : [])];
    const outer = view.rows;
    const down = [...outer, ...(view.y ? [view.y] : [])];
    const standing = viewState.stepped(view).map((axis) => [axis.position, viewState.standsAt(axis.name, view)]).filter(([, at]) => at !== "all");

    const columns = new Map();
    const rows = new Map();
    for (const shot of shots) {
      const columnKey = keyOf(shot, across);
      const rowKey = keyOf(shot, down);
      if (!columns.has(columnKey)) columns.set(columnKey, { key: columnKey, at: pointOf(shot, across), count: 0, wide: 0 });
      if (!rows.has(rowKey)) rows.set(rowKey, { key: rowKey, at: pointOf(shot, down), count: 0, high: 0, cells: new Map() });
      const column = columns.get(columnKey);
      const row = rows.get(rowKey);
      column.count += 1;
      row.count += 1;
      // Pictures of other shapes get the same area, so that none shouts.
      column.wide = Math.max(column.wide, Math.sqrt(shot.ratio));
      row.high = Math.max(row.high, 1 / Math.sqrt(shot.ratio));
      if (standing.some(([position, at]) => shot.c[position] >= 0 && shot.c[position] !== at)) continue;
      if (!row.cells.has(columnKey)) row.cells.set(columnKey, []);
      row.cells.get(columnKey).push(shot);
    }

    const columnList = [...columns.values()].sort(byPoint);
    const rowList = [...rows.values()].sort(byPoint);
    const rowHead = view.y ? headWidth(view.y, room) : 12;
    const size = view.size || fitting(columnList, rowList, room, rowHead);
    return { ...placed(columnList, rowList, { view, size, rowHead, outer, room }), heads: headsOf(columnList, across), across, down, size };
  }

  const pointOf = (shot, names) => names.map((name) => data.positionOf(shot, name));
  const keyOf = (shot, names) => pointOf(shot, names).join(",");

  function byPoint(one, other) {
    const apart = one.at.findIndex((value, i) => value !== other.at[i]);
    return apart < 0 ? 0 : one.at[apart] - other.at[apart];
  }

  function headWidth(name, room) {
    const longest = Math.max(data.axis(name).title.length + 2, ...data.axis(name).values.map((value) => Math.min(24, String(value.label ?? value.id).length)));
    return Math.round(Math.min(room.width < 640 ? 76 : 168, Math.max(56, longest * 7.4 + 22)));
  }

  // As wide as the window, but no row so high that it stands alone in it.
  function fitting(columns, rows, room, rowHead) {
    const shares = columns.reduce((sum, column) => sum + column.wide, 0) || 1;
    const free = room.width - rowHead - gap * (columns.length + 1);
    const highest = rows.reduce((most, row) => Math.max(most, row.high), 0) || 1;
    const most = Math.min(room.width > 1800 ? 640 : 440, (room.height * 0.62) / highest);
    return Math.floor(Math.max(112, Math.min(most, free / shares)));
  }

  function placed(columnList, rowList, { view, size, rowHead, outer }) {
    const caption = captions.depth(view) * captionLine;
    let left = rowHead + gap;
    const columns = columnList.map((column) => {
      const width = Math.round(column.wide * size);
      const made = { ...column, left, width };
      left += width + gap;
      return made;
    });

    let top = gap;
    let section = null;
    const lines = [];
    for (const row of rowList) {
      const here = row.at.slice(0, outer.length);
      if (outer.length && (section === null || here.join() !== section.at.join())) {
        section = { kind: "section", at: here, top, height: sectionHeight, label: outer.map((name, i) => [data.axis(name).title, data.labelAt(name, here[i])]), count: 0 };
        lines.push(section);
        top += sectionHeight;
      }
      if (section) section.count += row.count;
      const picture = Math.round(row.high * size);
      const height = picture + caption + gap;
      lines.push({
        kind: "row", key: row.key, top, height, picture, count: row.count, section,
        label: view.y ? data.labelAt(view.y, row.at[row.at.length - 1]) : "",
        cells: columns.map((column) => row.cells.get(column.key) || null),
      });
      top += height;
    }
    return { columns, lines, rowHead, width: left, height: top };
  }

  // One level of headings for each axis across, equal neighbours drawn together.
  function headsOf(columns, across) {
    return across.map((name, level) => {
      const spans = [];
      columns.forEach((column, i) => {
        const last = spans[spans.length - 1];
        const isSame = last && column.at.slice(0, level + 1).join() === last.at.join();
        if (isSame) {
          last.to = i;
          last.count += column.count;
        } else spans.push({ from: i, to: i, at: column.at.slice(0, level + 1), count: column.count, label: data.labelAt(name, column.at[level]) });
      });
      return { name, spans };
    });
  }

  return { layout, keyOf, gap, captionLine, sectionHeight };
})();
