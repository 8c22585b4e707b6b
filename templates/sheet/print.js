// On paper there is no window: all lines are drawn, at the width of a page, and every picture is loaded.
const printing = (() => {
  const most = 3000; // pictures; more would not fit into a reader's patience, nor a printer's memory

  function start() {
    window.addEventListener("beforeprint", () => {
      if (filters.shown().length <= most) stage.drawAll(true);
    });
    window.addEventListener("afterprint", () => stage.drawAll(false));
  }

  return { start };
})();
