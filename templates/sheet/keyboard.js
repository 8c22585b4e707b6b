// Every key of the page, in one table that is also its help.
const keyboard = (() => {
  const everywhere = "Everywhere";
  const anywhere = "On a picture";
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const subject = () => (compare.isOpen() ? compare.shot() : lightbox.shot() || stage.shot());

  // [shown, keys (letters in a row, or a list of names), what it does, what is done]
  const table = {
    [everywhere]: [
      ["E", "e", "Export picks.yaml", () => picksFile.save()],
      ["?", "?", "All keys", () => help()],
    ],
    [anywhere]: [
      ["P", "p", "Pick", () => choose({ pick: 1 })],
      ["X", "x", "Reject", () => choose({ pick: -1 })],
      ["U", "u", "Neither", () => choose({ pick: 0 })],
      ["1 – 5", "12345", "Stars", (key) => choose({ stars: Number(key) })],
      ["0", "0", "No stars", () => choose({ stars: 0 })],
      ["N", "n", "Write a note", note],
      ["C", "c", "Into the comparison, or out of it", () => onPicture(compare.toggle)],
      ["V", "v", "Compare what was chosen with C", () => compare.open()],
      ["Y", "y", "Copy the prompt", () => onPicture((shot) => copy.text("the prompt", shot.prompt))],
      ["[  ]", "[]", "Step through the axis that is not on the grid", stepFirst],
    ],
    "On the sheet": [
      ["Arrows", null, "Go from picture to picture (with Ctrl to the end)"],
      ["Enter or Space", null, "Open the picture"],
      ["+  −", "+-=", "Larger and smaller thumbnails", (key) => zoomThumbnails(key === "-" ? 1 / 1.2 : 1.2)],
      ["F", "f", "Thumbnails as the window allows", () => viewState.change({ size: 0 })],
      ["T", "t", "Swap columns and rows", () => viewState.change({ x: viewState.now.y, y: viewState.now.x })],
      ["G", "g", "Grid or gallery", () => viewState.change({ mode: viewState.now.mode === "grid" ? "gallery" : "grid" })],
      ["/", "/", "Find in prompts, notes and values", () => document.getElementById("find").focus()],
      ["S", "s", "Filter and tally", () => panel.toggle()],
      ["D", "d", "Only what differs", () => viewState.change({ differs: !viewState.now.differs })],
    ],
    "With a picture open": [
      ["Arrows", null, "Along the axes of the grid; in a gallery to the next"],
      ["Shift + arrows", null, "Along the outer axes; when zoomed in, move the picture"],
      ["Page up, page down", null, "To the one before and after, in the order of the plan"],
      ["+  −", "+-=", "Zoom", (key) => lightbox.zoomBy(key === "-" ? 1 / 1.5 : 1.5)],
      ["Z", "z", "100 %", () => lightbox.fullSize()],
      ["F", "f", "The whole picture", () => lightbox.fit()],
      ["I", "i", "Details", () => lightbox.toggleSide()],
      ["Esc", null, "Back to the sheet"],
    ],
    "In a comparison": [
      ["Left, right", null, "The other picture, for marks"],
      ["Shift + arrows", null, "Move all pictures"],
      ["+  −", "+-=", "Zoom all", (key) => compare.zoomBy(key === "-" ? 1 / 1.5 : 1.5)],
      ["Z", "z", "100 %", () => compare.fullSize()],
      ["F", "f", "Whole pictures", () => compare.fit()],
      ["B", "b", "The other picture, when blinking", () => compare.flip()],
      ["Delete", ["Delete"], "Take out of the comparison", () => compare.remove()],
      ["Esc", null, "Back"],
    ],
  };

  function start() {
    document.addEventListener("keydown", (event) => {
      if (event.defaultPrevented || event.isComposing || event.altKey || isWriting(event.target)) return;
      if (menus.isOpen() || dialog.open) return;
      const section = compare.isOpen() ? "In a comparison" : lightbox.shot() ? "With a picture open" : "On the sheet";
      if (arrows(event, section) || ((event.ctrlKey || event.metaKey) ? false : letter(event, section))) event.preventDefault();
    });
  }

  // On a slider the arrows are its own, and letters act as everywhere.
  const isWriting = (target) => target.matches("input:not([type=checkbox], [type=radio], [type=button], [type=range]), textarea, select") || target.isContentEditable;

  function letter(event, section) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if ((key === "Enter" || key === " ") && section === "On the sheet" && [stage.table, document.body].includes(event.target)) return onPicture(lightbox.open), true;
    for (const [, keys, , act] of [...table[section], ...table[anywhere], ...table[everywhere]]) {
      if (!act || !keys || !keys.includes(key)) continue;
      act(key);
      return true;
    }
    return false;
  }

  function arrows(event, section) {
    const by = step[event.key];
    if (section === "On the sheet") return onSheet(event, by);
    if (event.ctrlKey || event.metaKey || event.target.matches("input[type=radio], input[type=range]")) return false;
    if (section === "In a comparison") {
      if (by && event.shiftKey) compare.panBy(-by[0] * 60, -by[1] * 60);
      else if (by && by[0]) compare.go(by[0]);
      else return event.key === " " && event.target.matches("figure, dialog") ? (compare.flip(), true) : false;
      return true;
    }
    if (event.key === "PageDown" || event.key === "PageUp") return lightbox.inOrder(event.key === "PageDown" ? 1 : -1), true;
    if (!by) return false;
    if (!event.shiftKey) lightbox.go(...by);
    else if (lightbox.isZoomed()) lightbox.panBy(-by[0] * 60, -by[1] * 60);
    else lightbox.outer(...by);
    return true;
  }

  function onSheet(event, by) {
    if (event.target !== stage.table && event.target !== document.body && event.target !== stage.element) return false;
    const isFar = event.ctrlKey || event.metaKey;
    if (by && isFar) stage.toEnd(by[0] || by[1], { whole: by[1] !== 0 });
    else if (by) stage.move(...by);
    else if (event.key === "Home" || event.key === "End") stage.toEnd(event.key === "Home" ? -1 : 1, { whole: isFar });
    else if (event.key === "PageDown" || event.key === "PageUp") stage.page(event.key === "PageDown" ? 1 : -1);
    else return false;
    stage.focus();
    return true;
  }

  // The cursor may stand where the plan has a hole.
  function onPicture(act) {
    if (subject()) act(subject());
    else dom.say("There is no picture here.");
  }

  const choose = (part) => onPicture((shot) => mark(shot, part));

  function mark(shot, part) {
    marks.set(shot, part);
    dom.say(`${data.nameOf(shot)}: ${marks.inWords(shot) || "no marks"}`, { seen: true });
    if (store.read("goes-on", { shared: true }) !== true) return;
    if (compare.isOpen()) compare.go(1);
    else if (lightbox.shot()) lightbox.inOrder(1);
    else if (filters.isShown(shot)) stage.move(1, 0); // otherwise the next has taken its place already
  }

  function note() {
    if (compare.isOpen()) return dom.say("A note is written beside one picture: close the comparison first (Esc).");
    return onPicture((shot) => {
      if (!lightbox.shot()) lightbox.open(shot);
      lightbox.note()?.focus();
    });
  }

  function stepFirst(key) {
    const name = stepper.first();
    const by = key === "[" ? -1 : 1;
    if (!name || compare.isOpen()) return;
    if (lightbox.shot()) lightbox.step(name, by);
    else if (viewState.now.mode === "grid") stepper.step(name, by);
  }

  function zoomThumbnails(factor) {
    viewState.change({ size: Math.round(Math.min(768, Math.max(64, stage.size * factor))) });
  }

  const dialog = dom.make("dialog", { id: "help", "aria-labelledby": "help-title" });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

  function help() {
    if (dialog.open) return dialog.close();
    dialog.replaceChildren(
      dom.make("header", null, dom.make("h2", { id: "help-title" }, "Keys"), dom.button("Close", () => dialog.close(), { className: "round" }, dom.icon("reject"))),
      dom.make("div", { className: "keys", tabIndex: 0, role: "region", "aria-label": "All keys" }, Object.entries(table).map(([title, rows]) => dom.make("section", null, dom.make("h3", null, title), dom.make("dl", null, rows.map(([shown, , what]) => dom.make("div", null, dom.make("dt", null, shown), dom.make("dd", null, what))))))),
    );
    return dialog.showModal();
  }

  return { start, help, element: dialog, zoomThumbnails };
})();
