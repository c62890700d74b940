// Keeps the parts of a page current that have an id and `data-live`: when something has happened, the page is loaded
// again, and what differs of them takes its place, with the keyboard's focus, opened details and how far it was scrolled. A
// part with a selection, or an input somebody is in, waits. data-live="limiter" follows the use of HubSpot's limits as well.

// Milliseconds.
const SETTLE = 300; // is one refresh
const PAUSE = 1000; // between two refreshes
const PAUSES = { run_progress: 3000, records_changed: 3000, links_read: 3000, limiter: 2000 }; // because of one type of news
const FIRST_RETRY = 500, LAST_RETRY = 10_000; // between two attempts to connect
const WORDS = 10_000; // between two looks at the words of times

const banner = document.getElementById("connection");
const shown = new Map(); // by id: what was sent last, and its rows
let current = new Date(); // when what is shown was asked for
let isLost = false, isOver = false;
let socket, retryTimer, retry = FIRST_RETRY;
let refreshTimer, dueAt = Infinity, refreshedAt = 0, isRefreshing = false, isPutOff = false;
const heard = new Set(); // types of news since the last refresh
const followed = new Map(); // by type of news: when it last led to a refresh

/* Loading the page again */

function refreshSoon(after = SETTLE) {
  dueAt = Math.min(dueAt, Date.now() + after);
  schedule();
}

function schedule() {
  clearTimeout(refreshTimer);
  if (dueAt === Infinity || document.hidden || isRefreshing || isOver) return;
  refreshTimer = setTimeout(refresh, Math.max(dueAt, refreshedAt + PAUSE) - Date.now());
}

// The first news of a type shows at once; the many that follow while a copy goes on are one refresh every few seconds.
function follow(type) {
  heard.add(type);
  refreshSoon(Math.max(SETTLE, (followed.get(type) ?? 0) + (PAUSES[type] ?? 0) - Date.now()));
}

async function refresh() {
  [isRefreshing, dueAt] = [true, Infinity];
  const asked = new Date();
  heard.forEach((type) => followed.set(type, asked.getTime()));
  heard.clear();
  const html = await load().catch(() => undefined);
  [isRefreshing, refreshedAt] = [false, Date.now()];
  if (isOver) return;
  if (html) {
    current = asked;
    replace(new DOMParser().parseFromString(html, "text/html"));
  }
  if (html && socket?.readyState === WebSocket.OPEN) {
    isLost = false;
    say("");
  } else if (isLost || !html) lost();
  if (!html && socket) refreshSoon(LAST_RETRY / 2);
  schedule();
}

async function load() {
  const answer = await fetch(location.href, { signal: AbortSignal.timeout(LAST_RETRY) });
  // What a form has answered leads elsewhere when it is asked for: its frame is current all the same.
  const isSignedOut = answer.redirected && new URL(answer.url).pathname === "/login";
  if (isSignedOut || answer.status === 401) end("You are signed out; load the page again to sign in.");
  else if (answer.status === 404) end("This is no longer here.");
  // A page that says what is wrong with what was asked for is a page all the same.
  const isPage = answer.ok || (answer.status < 500 && answer.headers.get("content-type")?.startsWith("text/html"));
  return isPage ? answer.text() : undefined;
}

// Words of times move on by themselves: no news.
const plain = (element) => element.outerHTML.replace(/(<time\b[^>]*>)[^<]*/g, "$1");

function remember(part) {
  const rows = [...part.querySelectorAll("tbody tr")].map(plain);
  shown.set(part.id, { html: plain(part), rows: new Set(rows) });
}

function replace(page) {
  for (const old of document.querySelectorAll("[data-live][id]")) {
    const now = page.getElementById(old.id);
    const before = shown.get(old.id);
    if (!now || plain(now) === before?.html) continue;
    const focus = old.contains(document.activeElement) ? document.activeElement : null;
    if (focus?.matches("input:not([type=hidden]), select, textarea") || isSelected(old)) {
      isPutOff = true;
      continue;
    }
    remember(now);
    if (before?.rows.size) {
      for (const row of now.querySelectorAll("tbody tr")) row.classList.toggle("changed", !before.rows.has(plain(row)));
    }
    const place = focus && stops(old).indexOf(focus);
    const give = taken(old);
    old.replaceWith(document.adoptNode(now));
    give(now);
    if (focus) (document.getElementById(focus.id) ?? same(focus, now) ?? stops(now)[place])?.focus({ preventScroll: true });
  }
  tellTimes();
}

// Takes what people have done to a part; returns what gives it to the one in its place.
function taken(old) {
  const kept = [["details", "open"], [".scroll", "scrollLeft"]].map(([selector, property]) => {
    const values = [...old.querySelectorAll(selector)].map((element, index) => [element.id || index, element[property]]);
    return [selector, property, new Map(values)];
  });
  return (now) => kept.forEach(([selector, property, values]) => {
    now.querySelectorAll(selector).forEach((element, index) => {
      element[property] = values.get(element.id || index) ?? element[property];
    });
  });
}

function isSelected(part) {
  const selection = getSelection();
  return !selection.isCollapsed && selection.containsNode(part, true);
}

function putNoLongerOff() {
  if (isPutOff) refreshSoon();
  isPutOff = false;
}

const stops = (part) => [...part.querySelectorAll("a[href], button, summary")];
const same = (element, part) => stops(part).find((other) => other.href && other.href === element.href);

/* The connection */

function connect() {
  clearTimeout(retryTimer);
  if (document.hidden || socket || isOver) return;
  const opened = socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws`);
  opened.onmessage = ({ data }) => {
    const { type } = JSON.parse(data);
    // What happened before `hello` is not told again.
    if (type === "hello") retry = FIRST_RETRY;
    if (type !== "limiter" || document.querySelector('[data-live="limiter"]')) follow(type);
  };
  opened.onclose = () => {
    if (socket !== opened) return;
    socket = undefined;
    lost();
    const delay = retry * (0.5 + Math.random() / 2);
    retry = Math.min(retry * 2, LAST_RETRY);
    retryTimer = setTimeout(connect, delay);
    // For proxies that let no WebSocket through, and for who has signed out.
    refreshSoon(delay);
  };
}

function disconnect() {
  const open = socket;
  socket = undefined;
  open?.close();
  clearTimeout(retryTimer);
  clearTimeout(refreshTimer);
}

function say(words) {
  if (!banner) return;
  banner.textContent = words;
  banner.hidden = !words;
}

function lost() {
  isLost = true;
  if (!isOver) say(`Connection lost. What you see is from ${current.toLocaleTimeString("en-GB")}; trying again …`);
}

function end(words) {
  isOver = true;
  disconnect();
  say(words);
}

/* Times in words, as moment.rs writes them */

function words(seconds) {
  const length = Math.abs(seconds);
  const units = [[1, "s", 120], [60, "min", 7200], [3600, "h", 172_800], [86_400, "days", 5_184_000],
    [2_592_000, "months", 63_072_000], [31_536_000, "years", Infinity]];
  if (length < 2) return "just now";
  const [size, unit] = units.find(([, , end]) => length < end);
  const span = `${Math.trunc(length / size)} ${unit}`;
  return seconds < 0 ? `in ${span}` : `${span} ago`;
}

function tellTimes() {
  for (const time of document.querySelectorAll("time[title]")) {
    const said = words(Math.trunc((Date.now() - Date.parse(time.dateTime)) / 1000));
    if (time.textContent !== said) time.textContent = said;
  }
}

document.querySelectorAll("[data-live][id]").forEach(remember);
connect();
setInterval(() => document.hidden || tellTimes(), WORDS);
// Unseen, a page asks for nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return disconnect();
  connect();
  tellTimes();
});
document.addEventListener("focusout", putNoLongerOff);
document.addEventListener("selectionchange", () => getSelection().isCollapsed && putNoLongerOff());
addEventListener("online", connect);
addEventListener("pagehide", disconnect);
addEventListener("pageshow", (event) => event.persisted && connect());
