// While a run goes on the page is written again every few seconds; it loads itself again when nobody is in the middle
// of something, and comes back as it was left.
const refresh = (() => {
  const seconds = data.raw.refresh_s;
  let isPaused = store.read("paused", { session: true }) === true;
  let lastTouch = 0;

  function start() {
    const left = store.read("left", { session: true });
    if (left && left.address === window.location.href) {
      const shot = data.byKey.get(left.current);
      if (shot) stage.reveal(shot);
      stage.scrollTo(left.scroll);
      panel.toggle(Boolean(left.panel));
      if (!left.panel) stage.focus();
    }
    store.write("left", null, { session: true });
    if (!seconds) return;
    for (const kind of ["pointerdown", "pointermove", "wheel", "keydown", "input"]) document.addEventListener(kind, () => (lastTouch = Date.now()), { passive: true, capture: true });
    setInterval(again, seconds * 1000);
  }

  function again() {
    if (isPaused || document.hidden || Date.now() - lastTouch < 2000 || isBusy()) return;
    store.write("left", { address: window.location.href, scroll: stage.scrolled(), current: stage.shot()?.key || null, panel: !panel.element.hidden }, { session: true });
    window.location.reload();
  }

  // In the middle of writing, choosing from a menu, dragging or comparing.
  const isBusy = () => Boolean(document.activeElement?.matches("input, textarea, select")) || menus.isOpen() || compare.isOpen() || keyboard.element.open || Boolean(document.querySelector(".dragging"));

  function control() {
    if (!seconds) return null;
    const made = dom.make("button", { type: "button", className: "text", "aria-pressed": String(isPaused), onclick: () => {
      isPaused = !isPaused;
      store.write("paused", isPaused, { session: true });
      made.setAttribute("aria-pressed", String(isPaused));
      made.textContent = isPaused ? "Go on" : "Pause";
    } }, isPaused ? "Go on" : "Pause");
    made.title = `This page follows the run and loads itself again every ${seconds} seconds`;
    return made;
  }

  return { start, control };
})();
