// A picture that can be zoomed and moved. What is looked at is { zoom, x, y }: how many times larger than fitted, and
// the point of the picture in the middle, from 0 to 1; so several pictures can share one lens.
const lens = (() => {
  const most = 32;
  const whole = Object.freeze({ zoom: 1, x: 0.5, y: 0.5 });

  function surface({ onlook, ontap, onplace }) {
    const element = dom.make("div", { className: "surface" });
    const preview = dom.make("img", { className: "preview", alt: "", draggable: false });
    const sharp = dom.make("img", { className: "sharp", alt: "", draggable: false });
    const reason = dom.make("div", { className: "reason", hidden: true });
    let shot = null;
    let look = whole;
    let size = { width: 1, height: 1 };
    element.append(preview, sharp, reason);
    const watcher = new ResizeObserver(() => place());
    watcher.observe(element);

    sharp.addEventListener("load", () => {
      size = { width: sharp.naturalWidth, height: sharp.naturalHeight };
      element.classList.add("is-sharp");
      place();
    });
    sharp.addEventListener("error", () => element.classList.remove("is-sharp"));

    function show(next, at) {
      if (next === shot) return see(at);
      shot = next;
      look = at;
      element.classList.remove("is-sharp");
      sharp.removeAttribute("src");
      preview.removeAttribute("src");
      const isThere = data.hasPicture(shot);
      preview.hidden = sharp.hidden = !isThere;
      reason.hidden = isThere;
      reason.replaceChildren(...(isThere ? [] : [cell.gone(shot)]));
      size = { width: shot.w || shot.params.width || 1024, height: shot.h || shot.params.height || 1024 };
      if (isThere) {
        sharp.alt = shot.prompt || data.nameOf(shot);
        const thumb = data.thumb(shot.thumb, "l");
        if (thumb) preview.src = thumb;
        else preview.hidden = true;
        if (data.original(shot)) sharp.src = data.original(shot);
        else preview.alt = sharp.alt;
      }
      place();
    }

    function see(at) {
      look = at;
      place();
    }

    const fitted = () => Math.min(element.clientWidth / size.width, element.clientHeight / size.height, 1) || 1;
    const percent = () => Math.round(fitted() * look.zoom * 100);
    const fullSize = () => 1 / fitted();

    function place() {
      const scale = fitted() * look.zoom;
      const width = size.width * scale;
      const height = size.height * scale;
      const kept = (at, shown, room) => (shown <= room ? 0.5 : Math.min(1 - room / shown / 2, Math.max(room / shown / 2, at)));
      const x = kept(look.x, width, element.clientWidth);
      const y = kept(look.y, height, element.clientHeight);
      const left = Math.round(element.clientWidth / 2 - x * width);
      const top = Math.round(element.clientHeight / 2 - y * height);
      for (const picture of [preview, sharp]) {
        picture.style.width = `${width}px`;
        picture.style.height = `${height}px`;
        picture.style.transform = `translate(${left}px, ${top}px)`;
      }
      element.classList.toggle("is-zoomed", width > element.clientWidth + 1 || height > element.clientHeight + 1);
      element.classList.toggle("is-coarse", scale >= 4);
      look = { zoom: look.zoom, x, y };
      onplace?.();
    }

    // Around a point of the window, which stays where it is.
    function zoomTo(zoom, clientX, clientY) {
      const box = element.getBoundingClientRect();
      const next = Math.min(most, Math.max(1, zoom));
      const before = fitted() * look.zoom;
      const after = fitted() * next;
      const dx = (clientX === undefined ? 0 : clientX - box.left - box.width / 2);
      const dy = (clientY === undefined ? 0 : clientY - box.top - box.height / 2);
      const x = look.x + dx / (size.width * before) - dx / (size.width * after);
      const y = look.y + dy / (size.height * before) - dy / (size.height * after);
      onlook({ zoom: next, x, y });
    }

    function panBy(dx, dy) {
      const scale = fitted() * look.zoom;
      onlook({ zoom: look.zoom, x: look.x - dx / (size.width * scale), y: look.y - dy / (size.height * scale) });
    }

    const fingers = new Map();
    let moved = 0;
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoomTo(look.zoom * Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), event.clientX, event.clientY);
    }, { passive: false });
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      element.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, event);
      moved = 0;
    });
    element.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const other = [...fingers.values()].find((each) => each.pointerId !== event.pointerId);
      if (other) {
        const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
        zoomTo((look.zoom * apart(event)) / apart(before), (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
      } else {
        moved += Math.abs(event.clientX - before.clientX) + Math.abs(event.clientY - before.clientY);
        panBy(event.clientX - before.clientX, event.clientY - before.clientY);
      }
      fingers.set(event.pointerId, event);
    });
    const lifted = (event) => {
      if (fingers.delete(event.pointerId) && !fingers.size && moved < 4 && event.type === "pointerup") ontap?.(event);
    };
    element.addEventListener("pointerup", lifted);
    element.addEventListener("pointercancel", lifted);
    element.addEventListener("dblclick", (event) => (look.zoom > 1.01 ? onlook(whole) : zoomTo(Math.max(fullSize(), 2), event.clientX, event.clientY)));

    return { element, show, see, zoomTo, panBy, percent, fullSize, look: () => look, shot: () => shot, end: () => watcher.disconnect() };
  }

  return { surface, whole };
})();
