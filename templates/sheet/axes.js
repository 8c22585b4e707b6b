// How shots lie beside one another: the neighbour of a shot along an axis, and axes that never move alone.
const axes = (() => {
  const keyOf = (coordinates) => coordinates.join(",");
  const at = new Map();
  for (const shot of data.shots) if (!at.has(keyOf(shot.c))) at.set(keyOf(shot.c), shot);
  const tied = new Set(data.axes.filter((axis) => !movesAlone(axis)).map((axis) => axis.name));

  // Zipped and drawn axes are settled by the others: no two shots differ in them alone.
  function movesAlone(axis) {
    if (axis.values.length < 2) return false;
    const seen = new Map();
    return data.shots.some((shot) => {
      const others = keyOf(shot.c.map((value, i) => (i === axis.position ? "" : value)));
      const before = seen.get(others);
      seen.set(others, shot.c[axis.position]);
      return before !== undefined && before !== shot.c[axis.position];
    });
  }

  // The next shot along an axis, of those that are shown; null at the end. Holes of the plan are stepped over.
  function neighbour(shot, name, step, isShown) {
    const axis = data.axis(name);
    if (!axis) return null;
    for (let value = data.positionOf(shot, name) + step; value >= 0 && value < axis.values.length; value += step) {
      const found = tied.has(name) ? nearest(shot, axis, value, isShown) : exactly(shot, axis, value);
      if (found && isShown(found)) return found;
    }
    return null;
  }

  function exactly(shot, axis, value) {
    return at.get(keyOf(shot.c.map((old, i) => (i === axis.position ? value : old)))) || null;
  }

  function nearest(shot, axis, value, isShown) {
    let best = null;
    let fewest = Infinity;
    for (const other of data.shots) {
      if (other.c[axis.position] !== value || !isShown(other)) continue;
      const apart = other.c.reduce((sum, at, i) => sum + (at === shot.c[i] ? 0 : 1), 0);
      if (apart < fewest) [best, fewest] = [other, apart];
    }
    return best;
  }

  return { tied, neighbour };
})();
