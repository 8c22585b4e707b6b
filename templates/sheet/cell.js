// One place of the sheet: a picture or the reason why there is none, its marks and its caption.
const cell = (() => {
  function make(shots, { id, view, names, width, picture }) {
    if (!shots) return dom.make("div", { className: "cell empty", role: "gridcell", id, "aria-label": "no shot here" });
    const shot = shots[0];
    const box = boxOf(shot, width, picture);
    const frame = dom.make("div", { className: "frame" }, data.hasPicture(shot) ? image(shot, box) : gone(shot, box));
    frame.style.width = `${box.width}px`;
    frame.style.height = `${box.height}px`;
    const stage = dom.make("div", { className: "picture" }, frame);
    const more = shots.length > 1 ? dom.make("span", { className: "more", title: `${shots.length} pictures stand here` }, `+${shots.length - 1}`) : null;
    frame.append(dom.make("div", { className: "badges" }), ...(more ? [more] : []));
    const element = dom.make("div", { className: "cell", role: "gridcell", id }, stage, caption(shot, view, names));
    element.dataset.key = shot.key;
    refresh(element, shot);
    return element;
  }

  function boxOf(shot, width, picture) {
    const scale = Math.min(width, picture * shot.ratio);
    return { width: Math.round(scale), height: Math.round(scale / shot.ratio) };
  }

  function image(shot, box) {
    const size = Math.max(box.width, box.height) * (window.devicePixelRatio || 1) > 300 ? "l" : "s";
    const picture = dom.make("img", { alt: shot.prompt || data.nameOf(shot), width: box.width, height: box.height, decoding: "async", draggable: false });
    picture.addEventListener("error", () => picture.replaceWith(gone({ ...shot, state: "missing", reason: "The thumbnail cannot be shown." }, box)), { once: true });
    picture.src = data.thumb(shot.thumb, size) || data.original(shot);
    return picture;
  }

  function gone(shot, box = null) {
    const size = !box || box.height > 150 ? "" : box.height > 90 ? " is-small" : " is-small is-tiny";
    const reason = shot.reason || words.meaning(shot.state);
    return dom.make("div", { className: `gone is-${shot.state}${size}` }, dom.icon(words.stateIcon(shot.state)), dom.make("strong", null, words.state(shot.state)), dom.make("span", { className: "why", dir: "auto" }, reason));
  }

  // For the mouse, and made when it comes; the keyboard has keys for all three.
  function equip(element, act) {
    const frame = element.querySelector(".frame");
    if (!frame || frame.querySelector(".tools")) return;
    frame.append(dom.make("div", { className: "tools" }, tools(data.byKey.get(element.dataset.key), act)));
  }

  function tools(shot, act) {
    const tool = (name, label, key) => dom.make("button", { type: "button", tabIndex: -1, title: `${label} (${key})`, "aria-label": `${label}: ${data.nameOf(shot)}`, className: `tool tool-${name}`, onclick: (event) => (event.stopPropagation(), act(name, shot)) }, dom.icon(name));
    return [tool("pick", "Pick", "P"), tool("reject", "Reject", "X"), tool("compare", "Compare", "C")];
  }

  function caption(shot, view, names) {
    const isLong = view.captions.includes("coordinates") && captions.isLong(names);
    const lines = captions.linesOf(shot, view, names).map((line, i) => dom.make("div", { className: isLong && i === 0 ? "caption is-long" : "caption", dir: "auto", title: line }, line || "\u00a0"));
    return dom.make("div", { className: "captions" }, lines);
  }

  // Draws marks anew without touching the picture.
  function refresh(element, shot) {
    const mark = marks.of(shot);
    const isCompared = viewState.now.compare.includes(shot.key);
    element.classList.toggle("picked", mark.pick === 1);
    element.classList.toggle("rejected", mark.pick === -1);
    element.classList.toggle("compared", isCompared);
    const badges = [];
    if (mark.pick === 1) badges.push(dom.make("span", { className: "badge is-picked", title: "Picked" }, dom.icon("pick")));
    if (mark.pick === -1) badges.push(dom.make("span", { className: "badge is-rejected", title: "Rejected" }, dom.icon("reject")));
    if (isCompared) badges.push(dom.make("span", { className: "badge is-compared", title: "In the comparison" }, dom.icon("compare")));
    if (mark.stars) badges.push(dom.make("span", { className: "badge is-stars", title: words.count(mark.stars, "star") }, `${mark.stars}★`));
    if (mark.note) badges.push(dom.make("span", { className: "badge is-note", title: mark.note }, "…"));
    element.querySelector(".badges").replaceChildren(...badges);
    element.setAttribute("aria-label", [data.nameOf(shot), shot.state === "done" ? "" : words.state(shot.state), marks.inWords(shot), isCompared ? "in the comparison" : ""].filter(Boolean).join(", "));
  }

  return { make, equip, refresh, gone };
})();
