// How states, amounts and lengths of time are put into words.
const words = (() => {
  const states = {
    done: "Done",
    moderated: "Moderated",
    rejected: "Refused by the service",
    failed: "Failed",
    unknown: "Unknown",
    lost: "Lost",
    stalled: "Stalled",
    in_flight: "On its way",
    planned: "Not made yet",
    missing: "File missing",
  };
  const meanings = {
    moderated: "The service withheld this picture.",
    rejected: "The service refused the request.",
    failed: "The service could not make this picture.",
    unknown: "Whether this shot was paid for is not known; flux2batch resolve finds out.",
    lost: "The service no longer knows this shot.",
    stalled: "No news for too long; the next run asks again.",
    in_flight: "The picture is being made.",
    planned: "This shot has not been asked for yet.",
    missing: "The picture was made, and its file is gone.",
  };
  const icons = { moderated: "moderated", rejected: "failed", failed: "failed", unknown: "unknown", lost: "unknown", stalled: "planned", in_flight: "planned", planned: "planned", missing: "missing" };

  const state = (name) => states[name] || name;
  const meaning = (name) => meanings[name] || "";
  const stateIcon = (name) => icons[name] || "unknown";

  // Amounts add up in millionths of a dollar, so that a thousand of them are still exact.
  const micros = (usd) => (usd === null || usd === undefined ? 0 : Math.round(Number(usd) * 1e6));

  // Two digits after the point, and up to four where they say something.
  const money = (amount) => `$${(amount / 1e6).toFixed(4).replace(/0{1,2}$/, "")}`;

  function duration(seconds) {
    if (seconds === null || seconds === undefined) return "";
    if (seconds < 60) return `${Number(seconds).toFixed(1)} s`;
    const whole = Math.round(seconds);
    return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  }

  const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
  const stars = (n) => "★".repeat(n);

  return { state, meaning, stateIcon, micros, money, duration, count, stars };
})();
