// Where the cursor stands once the pictures were laid out anew. Touches no element.
const cursor = (() => {
  // On its picture; where that is only stepped out of sight, in the same cell, be it empty; or else on the nearest.
  function follow(shot, before, plan) {
    if (!shot) return first(plan);
    const isShown = filters.isShown(shot);
    return (isShown && (placeOf(plan, shot) || cellOf(plan, shot))) || nextInOrder(plan, before, shot) || nearest(plan, shot) || first(plan);
  }

  const isCell = (plan, line, column) => plan.lines[line]?.kind === "row" && Boolean(plan.lines[line].cells[column]);

  function first(plan) {
    for (let line = 0; line < plan.lines.length; line += 1) {
      const column = plan.lines[line].kind === "row" ? plan.lines[line].cells.findIndex(Boolean) : -1;
      if (column >= 0) return { line, column };
    }
    return null;
  }

  function placeOf(plan, shot) {
    for (let line = 0; line < plan.lines.length; line += 1) {
      const cells = plan.lines[line].cells;
      const column = cells ? cells.findIndex((shots) => shots && shots.includes(shot)) : -1;
      if (column >= 0) return { line, column };
    }
    return null;
  }

  // The cell with the shot's values on every axis of the grid. A gallery has no such cells.
  function cellOf(plan, shot) {
    const rowKey = grid.keyOf(shot, plan.down);
    const columnKey = grid.keyOf(shot, plan.across);
    const line = plan.lines.findIndex((each) => each.key === rowKey);
    const column = plan.columns.findIndex((each) => each.key === columnKey);
    return line >= 0 && column >= 0 ? { line, column } : null;
  }

  const shotsOf = (plan) => plan.lines.flatMap((line) => (line.cells || []).flat().filter(Boolean));
  const isGallery = (plan) => !plan.across.length && !plan.down.length;

  // In a gallery what comes after a picture takes its place when it goes; after the last one, what came before.
  function nextInOrder(plan, before, shot) {
    if (!before || !isGallery(before) || !isGallery(plan)) return null;
    const order = shotsOf(before);
    const at = order.indexOf(shot);
    const next = order.slice(at + 1).find(filters.isShown) || order.slice(0, Math.max(0, at)).findLast(filters.isShown);
    return next ? placeOf(plan, next) : null;
  }

  // The fewest axes away, then the fewest values; of two alike the one further on.
  function nearest(plan, shot) {
    let best = null;
    let least = null;
    for (const other of shotsOf(plan)) {
      const steps = other.c.map((value, i) => value - shot.c[i]).filter((apart) => apart !== 0);
      const apart = [steps.length, steps.reduce((sum, each) => sum + Math.abs(each), 0), steps[0] < 0 ? 1 : 0];
      if (least === null || isLess(apart, least)) [best, least] = [other, apart];
    }
    return best && placeOf(plan, best);
  }

  function isLess(one, other) {
    const at = one.findIndex((value, i) => value !== other[i]);
    return at >= 0 && one[at] < other[at];
  }

  return { follow, isCell, placeOf };
})();
