// What drops down from a button: how to show, what was chosen, where an axis goes.
const menus = (() => {
  const dropped = dom.make("div", { id: "menu", popover: "auto" });
  let owner = null;

  function openAt(button, items, { role = "menu", label = button.textContent } = {}) {
    if (owner === button && isOpen()) return close();
    owner = button;
    dropped.setAttribute("role", role);
    dropped.setAttribute("aria-label", label);
    dropped.replaceChildren(...items);
    dropped.showPopover();
    button.setAttribute("aria-expanded", "true");
    const box = button.getBoundingClientRect();
    const width = dropped.offsetWidth;
    dropped.style.left = `${Math.max(8, Math.min(box.left, window.innerWidth - width - 8))}px`;
    dropped.style.top = `${Math.min(box.bottom + 4, Math.max(8, window.innerHeight - dropped.offsetHeight - 8))}px`;
    return (dropped.querySelector("[aria-checked=true], input:checked") || dropped.querySelector("button, input, select"))?.focus();
  }

  const isOpen = () => dropped.matches(":popover-open");

  function close() {
    if (isOpen()) dropped.hidePopover();
  }

  dropped.addEventListener("toggle", (event) => {
    if (event.newState === "open" || !owner) return;
    owner.setAttribute("aria-expanded", "false");
    if (!document.activeElement || document.activeElement === document.body) (owner.isConnected ? owner : stage.table).focus({ preventScroll: true });
  });
  dropped.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || dropped.getAttribute("role") !== "menu") return;
    event.preventDefault();
    const items = [...dropped.querySelectorAll("button")];
    items[(items.indexOf(document.activeElement) + by + items.length) % items.length].focus();
  });

  function select(label, options, chosen, onchange) {
    const made = dom.make("select", { onchange: (event) => onchange(event.target.value) }, options.map(([value, title]) => dom.make("option", { value }, title)));
    made.value = chosen;
    return dom.make("label", { className: "labelled" }, dom.make("span", null, label), made);
  }

  function viewMenu(button) {
    const view = viewState.now;
    openAt(button, [
      dom.choice("Layout", [["grid", "Grid"], ["gallery", "Gallery"]], view.mode, (mode) => viewState.change({ mode })),
      select("Sort the gallery by", gallery.sortChoices(), view.sort, (sort) => viewState.change({ sort, mode: "gallery" })),
      select("Group the gallery by", gallery.groupChoices(), view.group, (group) => viewState.change({ group, mode: "gallery" })),
      dom.make("fieldset", { className: "group" }, dom.make("legend", null, "Under each picture"), viewState.captionNames.map((name) => dom.check(captions.titles[name], view.captions.includes(name), (on) => caption(name, on)))),
      dom.choice("Colours", [["", "As the system"], ["light", "Light"], ["dark", "Dark"]], store.read("theme", { shared: true }) || "", theme),
      dom.make("button", { type: "button", onclick: () => (close(), viewState.reset()) }, "Back to the first view"),
    ], { role: "dialog", label: "View" });
  }

  function caption(name, on) {
    const now = viewState.now.captions;
    viewState.change({ captions: viewState.captionNames.filter((each) => (each === name ? on : now.includes(each))) });
  }

  function theme(name) {
    store.write("theme", name, { shared: true });
    applyTheme();
  }

  function applyTheme() {
    const name = store.read("theme", { shared: true });
    if (name === "light" || name === "dark") document.documentElement.dataset.theme = name;
    else delete document.documentElement.dataset.theme;
  }

  function picksMenu(button) {
    const { picked, rejected, marked } = marks.counts();
    const goesOn = store.read("goes-on", { shared: true }) === true;
    const file = dom.make("input", { type: "file", accept: ".yaml,.yml", className: "offstage", tabIndex: -1, "aria-label": "A picks.yaml", onchange: (event) => event.target.files[0] && (picksFile.open(event.target.files[0]), close()) });
    openAt(button, [
      dom.make("p", { className: "summary" }, `${picked} picked, ${rejected} rejected of ${words.count(data.shots.length, "picture")}`),
      dom.make("button", { type: "button", className: "primary", disabled: !marked, onclick: () => (close(), picksFile.save()) }, "Export picks.yaml"),
      dom.make("button", { type: "button", onclick: () => file.click() }, "Read a picks.yaml …"),
      file,
      dom.make("button", { type: "button", disabled: !picked, onclick: () => (close(), viewState.change({ mark: "picked" })) }, "Show only what is picked"),
      dom.check("Go on to the next picture after choosing", goesOn, (on) => store.write("goes-on", on, { shared: true })),
      dom.make("button", { type: "button", className: "danger", disabled: !marked, onclick: (event) => forget(event.currentTarget) }, "Forget all marks"),
    ], { role: "dialog", label: "Picks" });
  }

  // Asked twice on the same button: there is no way back.
  function forget(button) {
    if (!button.dataset.asked) {
      button.dataset.asked = "yes";
      button.textContent = `Forget ${words.count(marks.counts().marked, "mark")} for good?`;
      return;
    }
    marks.clear();
    close();
  }

  return { element: dropped, openAt, close, isOpen, viewMenu, picksMenu, applyTheme };
})();
