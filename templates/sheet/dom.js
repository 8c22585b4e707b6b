"use strict";

// Make elements. Whatever comes from the data becomes text and nothing else: nothing here, and nothing that uses it,
// ever reads a string as markup.
const dom = (() => {
  const asProperty = new Set(["className", "hidden", "checked", "disabled", "value", "tabIndex", "draggable", "open"]);

  // make("button", {className: "quiet", onclick: open, "aria-label": "Open"}, "text", child, null)
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (asProperty.has(name)) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  }

  function button(label, onclick, attributes, ...children) {
    const named = children.length ? { "aria-label": label, title: label } : {};
    return make("button", { type: "button", onclick, ...named, ...attributes }, ...(children.length ? children : [label]));
  }

  // Text that a person or a service wrote: in its own direction, whatever stands around it.
  function foreign(text, tag = "bdi") {
    return make(tag, { dir: "auto" }, text);
  }

  const shapes = {
    pick: "M3 8.5l3.2 3.2L13 5",
    reject: "M4 4l8 8M12 4l-8 8",
    compare: "M2.5 3h4.5v10H2.5zM9 3h4.5v10H9z",
    left: "M10 3L5 8l5 5",
    right: "M6 3l5 5-5 5",
    up: "M3 10l5-5 5 5",
    down: "M3 6l5 5 5-5",
    filter: "M2 3.5h12M4.5 8h7M6.5 12.5h3",
    search: "M11 11l3.5 3.5M12.5 7a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0z",
    swap: "M2.5 5.5h10M10 2.5l3 3-3 3M13.5 10.5h-10M6 7.5l-3 3 3 3",
    moderated: "M8 1.8l5.2 2v4c0 3.2-2.2 5.4-5.2 6.4-3-1-5.2-3.2-5.2-6.4v-4z",
    failed: "M8 2l6.5 11.5h-13zM8 6.5v3.2M8 11.6v.4",
    unknown: "M6 6a2 2 0 1 1 2.8 1.8c-.6.3-.8.7-.8 1.4M8 11.4v.4M14.5 8a6.5 6.5 0 1 1-13 0 6.5 6.5 0 0 1 13 0z",
    missing: "M2.5 3h11v10h-11zM2.5 13l11-10",
    planned: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0zM8 4.5V8l2.3 1.6",
    more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
    info: "M14.5 8a6.5 6.5 0 1 1-13 0 6.5 6.5 0 0 1 13 0zM8 7.3v4M8 4.8v.2",
    plus: "M8 3v10M3 8h10",
    minus: "M3 8h10",
  };

  function icon(name) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("class", `icon icon-${name}`);
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", shapes[name]);
    svg.append(path);
    return svg;
  }

  // A list of choices of which one is taken, as radio buttons that look like one control.
  function choice(legend, options, chosen, onchoose) {
    const group = `choice-${(choices += 1)}`;
    return make(
      "fieldset",
      { className: "choice" },
      make("legend", null, legend),
      options.map(([value, label]) =>
        make(
          "label",
          null,
          make("input", { type: "radio", name: group, value, checked: value === chosen, onchange: () => onchoose(value) }),
          make("span", null, label),
        ),
      ),
    );
  }
  let choices = 0;

  function check(label, checked, onchange) {
    return make("label", { className: "check" }, make("input", { type: "checkbox", checked, onchange: (event) => onchange(event.target.checked) }), make("span", null, label));
  }

  // Say it to people who listen, and show it for a moment to people who look; not where they see it anyway.
  function say(text, { seen = false } = {}) {
    const line = document.getElementById("said");
    ([...document.querySelectorAll("dialog[open]")].at(-1) || document.body).append(line); // behind an open dialog nobody would see it
    line.textContent = text;
    line.classList.toggle("shown", !seen);
    clearTimeout(say.timer);
    say.timer = setTimeout(() => line.classList.remove("shown"), 4000);
  }

  return { make, button, foreign, icon, choice, check, say };
})();
