// What the browser keeps for this sheet. Where it keeps nothing (private windows, locked-down offices), memory has to do.
const store = (() => {
  const memory = new Map();
  const base = String(data.raw.storage_key);

  function area(session) {
    try {
      const found = session ? window.sessionStorage : window.localStorage;
      found.getItem("flux2batch");
      return found;
    } catch {
      return null;
    }
  }

  function read(name, { session = false, shared = false } = {}) {
    const key = shared ? `flux2batch:${name}` : `${base}:${name}`;
    try {
      const text = area(session)?.getItem(key) ?? memory.get(key) ?? null;
      return text === null ? null : JSON.parse(text);
    } catch {
      return null;
    }
  }

  // False when it could only be remembered until the page is closed.
  function write(name, value, { session = false, shared = false } = {}) {
    const key = shared ? `flux2batch:${name}` : `${base}:${name}`;
    const text = JSON.stringify(value);
    memory.set(key, text);
    try {
      area(session).setItem(key, text);
      return true;
    } catch {
      return false;
    }
  }

  // Called when another window of the same sheet has written.
  function whenWritten(name, act) {
    window.addEventListener("storage", (event) => {
      if (event.key === `${base}:${name}`) act();
    });
  }

  return { read, write, whenWritten };
})();
