// Keys, refresh, local times and copying. Every page works without this file.
"use strict";

const RETRY_MOST = 60;
const stored = {
  get: (name) => {
    try { return localStorage.getItem(name); } catch { return null; }
  },
  set: (name, value) => {
    try { localStorage.setItem(name, value); } catch { /* Storage is off. */ }
  },
};

// ---- Refresh: the part with the id `live`, unless the user is elsewhere or in the middle of something.

const select = document.getElementById("refresh");
const notice = document.getElementById("refreshing");
let last = Date.now();
let failures = 0;

function chosen() {
  const given = new URL(location.href).searchParams.get("refresh");
  return given ?? stored.get("notify-refresh") ?? "5";
}

function reasonToPause() {
  if (document.hidden || !document.hasFocus()) return "paused: the window is not in front";
  if (document.querySelector("dialog[open]")) return "paused: a dialog is open";
  if (document.querySelector("main tbody input:checked")) return "paused: rows are selected";
  const field = document.activeElement;
  if (field && field.closest("main") && field.matches("input:not([type=checkbox]), textarea, select")) return "paused: you are typing";
  if (String(getSelection())) return "paused: text is selected";
  return "";
}

async function refresh() {
  if (!document.getElementById("live")) return;
  last = Date.now();
  await htmx.ajax("GET", location.pathname + location.search, {
    target: "#live", select: "#live", swap: "outerMorph",
  });
  mark();
}

function tick() {
  const seconds = Number(chosen());
  if (!document.getElementById("live") || !seconds) { say(""); return; }
  const why = reasonToPause();
  say(why || (failures ? "not refreshed: the console does not answer as usual" : ""));
  if (why) return;
  const wait = Math.min(seconds * 2 ** failures, Math.max(RETRY_MOST, seconds));
  if (Date.now() - last >= wait * 1000) refresh().catch(() => {});
}

function say(text) {
  if (notice && notice.textContent !== text) notice.textContent = text;
}

// After an error the page stays as it is, and the next refresh waits longer.
document.addEventListener("htmx:error", () => { failures = Math.min(failures + 1, 6); });
document.addEventListener("htmx:after:request", (event) => {
  const failed = event.detail.ctx.response.status >= 400;
  failures = failed ? Math.min(failures + 1, 6) : 0;
});

if (select) {
  const value = chosen();
  select.value = [...select.options].some((each) => each.value === value) ? value : "5";
  select.addEventListener("change", () => {
    stored.set("notify-refresh", select.value);
    const url = new URL(location.href);
    url.searchParams.set("refresh", select.value);
    history.replaceState(null, "", url);
    last = Date.now();
  });
  setInterval(tick, 250);
}

// ---- Rows: j and k walk them, x selects, Enter opens.

const rows = () => [...document.querySelectorAll("main table.rows tbody tr, main .list > li")];
let here = -1;

function mark() {
  rows().forEach((row, i) => row.classList.toggle("here", i === here));
}

function walk(step) {
  const all = rows();
  if (!all.length) return;
  here = Math.max(0, Math.min(all.length - 1, here + step));
  mark();
  const row = all[here];
  row.scrollIntoView({ block: "nearest" });
  (row.querySelector("a, input, button") ?? row).focus({ preventScroll: true });
}

function pick() {
  const box = rows()[here]?.querySelector("input[type=checkbox]");
  if (box) box.click();
}

// ---- Theme

function turnTheme() {
  const order = ["", "light", "dark"];
  const root = document.documentElement;
  const next = order[(order.indexOf(root.dataset.theme ?? "") + 1) % order.length];
  if (next) root.dataset.theme = next; else delete root.dataset.theme;
  stored.set("notify-theme", next);
  say(`theme: ${next || "as the system"}`);
}

// ---- Keys

const KEYS = {
  "/": () => document.querySelector("input[type=search]")?.focus(),
  "?": () => document.getElementById("keys")?.showModal(),
  r: () => refresh().catch(() => {}),
  j: () => walk(1),
  k: () => walk(-1),
  x: pick,
  t: turnTheme,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target;
  if (event.key === "Escape" && field.matches("input, textarea")) { field.blur(); return; }
  if (field.matches("input:not([type=checkbox]), textarea, select") || field.isContentEditable) return;
  if (document.querySelector("dialog[open]")) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

// ---- Times on hover and focus, copying, selecting all, confirming by link

document.addEventListener("mouseover", (event) => {
  const time = event.target.closest?.("time[datetime]");
  if (time && !time.title) time.title = new Date(time.dateTime).toLocaleString(undefined, { timeZoneName: "short" });
});

document.addEventListener("click", (event) => {
  const copied = event.target.closest?.("[data-copy]");
  if (copied && !event.target.closest("a") && !String(getSelection())) {
    navigator.clipboard?.writeText(copied.dataset.copy).then(() => {
      copied.classList.add("copied");
      say("copied");
      setTimeout(() => copied.classList.remove("copied"), 1200);
    });
  }
});

document.addEventListener("change", (event) => {
  if (!event.target.matches?.("input[data-all]")) return;
  for (const box of event.target.closest("form").querySelectorAll("tbody input[type=checkbox]")) box.checked = event.target.checked;
});
