"use strict";
// Keeps what is shown up to date: asks for the same page again when something changed, and puts
// its live parts in place of those that are there. Without it, people reload.
(() => {
  const least = 1000; // milliseconds between two looks
  const poll = 15000; // where no changes are told
  const source = document.body.dataset.changes;
  let timer = null;
  let polling = null;
  let last = 0;
  const shown = new WeakMap(); // live part -> what the server said of it last

  const busy = () => {
    const active = document.activeElement;
    const selected = getSelection();
    return (active !== null && active.closest("[data-live]") !== null
      && active.matches("input, select, textarea"))
      || (selected !== null && !selected.isCollapsed);
  };

  const reached = "a[href], button, input, select, summary, [tabindex]";

  // What a part says, but for how long ago that was.
  const said = (part) => {
    const copy = part.cloneNode(true);
    for (const one of copy.querySelectorAll("time")) one.textContent = "";
    return copy.innerHTML;
  };

  const put = (fresh) => {
    for (const old of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(old.id);
      if (next === null || said(next) === shown.get(old)) continue;
      shown.set(old, said(next));
      const focus = [...old.querySelectorAll(reached)].indexOf(document.activeElement);
      const open = new Map([...old.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
      old.replaceChildren(...document.adoptNode(next).childNodes);
      for (const one of old.querySelectorAll("details[id]")) one.open = open.get(one.id) ?? one.open;
      if (focus >= 0) old.querySelectorAll(reached)[focus]?.focus();
    }
  };

  const look = async () => {
    timer = null;
    if (document.hidden || busy()) {
      later(least);
      return;
    }
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      put(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The next change, or the next turn, tries again.
    }
  };

  const later = (wait) => {
    timer ??= setTimeout(look, Math.max(wait, last + least - Date.now()));
  };

  const ask = () => {
    polling ??= setInterval(() => later(0), poll);
  };

  // Times are told by the clock of the server; what is long ago stays a day.
  const skew = Date.now() - Number(document.body.dataset.now);
  const age = () => {
    for (const one of document.querySelectorAll("time")) {
      if (!/ ago$|^just now$/.test(one.textContent)) continue;
      const seconds = Math.floor((Date.now() - skew - Date.parse(one.dateTime)) / 1000);
      if (!(seconds >= 5)) continue;
      const [size, word] = [[86400, "day"], [3600, "h"], [60, "min"], [1, "s"]]
        .find(([length]) => seconds >= length);
      const number = Math.floor(seconds / size);
      one.textContent = `${number} ${word}${word === "day" && number > 1 ? "s" : ""} ago`;
    }
  };
  setInterval(age, 10000);

  for (const one of document.querySelectorAll("[data-live]")) shown.set(one, said(one));
  if (document.querySelector("[data-live]") === null) return;
  // What lives below objects changes without a change of the HelmRelease.
  if (!source || document.querySelector("[data-aging]") !== null) ask();
  if (!source) return;
  let changes = null;

  const listen = () => {
    changes = new EventSource(source);
    for (const name of ["changed", "gone", "reset"]) {
      changes.addEventListener(name, () => later(0));
    }
    changes.addEventListener("error", () => {
      if (changes !== null && changes.readyState === EventSource.CLOSED) ask();
    });
  };

  // A page that nobody sees holds no connection: browsers have six for all pages of a site.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      changes?.close();
      changes = null;
    } else if (changes === null) {
      later(0);
      listen();
    }
  });
  if (!document.hidden) listen();
})();
