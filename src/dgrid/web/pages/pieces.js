// The pieces that pages are drawn of. Everything is put in as text, nothing as markup. Asks this gateway alone.

import { between, percent, short } from "./values.js";

const GOOD = new Set(["serving", "anchored", "claimable", "running", "active"]);
const BAD = new Set(["ejected", "unreachable", "convicted"]);
const COMING = new Set(["open", "closed", "stored", "handed_over"]); // on its way as it should be
const SVG = "http://www.w3.org/2000/svg";
const BAR_WIDTH = 110;
const BAR_HEIGHT = 10;
const SAID_MS = 1500;

export const byId = (id) => document.getElementById(id);

// --- elements ---

export function made(name, { text, ...attributes } = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text != null) element.textContent = text;
  element.append(...children);
  return element;
}

export function drawn(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** A name and what it is: a text, or an element. */
export const fact = ([name, value, className]) =>
  made("div", { class: className ?? "" }, made("dt", { text: name }),
    made("dd", {}, value instanceof Node ? value : String(value)));

/** A text to take along: one click copies it, and where a browser refuses that, selects it. */
export function copied(text) {
  const code = made("code", { text });
  const button = made("button", { class: "copy", type: "button", text: "copy", "aria-label": `copy ${text}` });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, SAID_MS);
  });
  return made("span", { class: "copied" }, code, button);
}

// --- cells ---

export const cell = (text, className = "") => made("td", { class: className, text: text ?? "–" });
export const number = (text) => cell(text, "number");
export const hash = (hex) => made("td", { class: "hash", title: hex || "", text: short(hex) });
const tone = (name) => (GOOD.has(name) ? "good" : BAD.has(name) ? "bad" : COMING.has(name) ? "" : "warn");
export const state = (name) => cell(name.replaceAll("_", " "), `state ${tone(name)}`);
export const command = (text) => made("td", {}, made("code", { text }));
export const link = (text, href) => made("td", { class: "mono" }, made("a", { href, text }));

/** What lies between two shares of 10,000 as a bar, with a mark at the mean; empty where nothing is known. */
export function bar(about, { low, high, mean, repute = "proven" } = {}) {
  const x = (bps) => (bps / 10000) * BAR_WIDTH;
  const size = { width: BAR_WIDTH, height: BAR_HEIGHT, viewBox: `0 0 ${BAR_WIDTH} ${BAR_HEIGHT}`, preserveAspectRatio: "none" };
  const range = { class: "range", x: x(low), width: Math.max(2, x(high) - x(low)), height: BAR_HEIGHT, rx: 3 };
  const mark = { class: "mark", x: Math.min(BAR_WIDTH - 2, x(mean)), width: 2, height: BAR_HEIGHT };
  return drawn("svg", { class: `bar ${repute}`, ...size, role: "img", "aria-label": about },
    drawn("rect", { class: "track", width: BAR_WIDTH, height: BAR_HEIGHT, rx: 3 }),
    ...(high == null ? [] : [drawn("rect", range)]), ...(mean == null ? [] : [drawn("rect", mark)]));
}

/** What is believed, as a bar with its figures. */
export function interval({ credibility_bps: mean, low_bps: low, high_bps: high }, repute = "proven") {
  if (mean == null) return made("td", { title: "not judged yet" }, bar("not judged yet", { repute }), made("span", { text: "–" }));
  const about = `${percent(mean)}, between ${percent(low)} and ${percent(high)}`;
  const title = repute === "doubtful" ? `${about}: below its peers, so it gets next to nothing` : about;
  return made("td", { title }, bar(about, { low, high, mean, repute }), made("span", { text: percent(mean) }),
    made("span", { class: "bounds", text: between(low, high) }));
}

// --- tables ---

/** A row under its titles; what stands under a title that a narrow screen leaves out is left out with it. */
function line(heads, cells) {
  cells.forEach((one, at) => heads[at].classList.contains("side") && one.classList.add("side"));
  return made("tr", {}, ...cells);
}

export function table(titles, rows) {
  const heads = titles.map(([text, className]) => made("th", { class: className ?? "", text }));
  const body = made("tbody", {}, ...rows.map((cells) => line(heads, cells)));
  return made("table", {}, made("thead", {}, made("tr", {}, ...heads)), body);
}

/** Puts rows into a table; a row is a list of cells, or a whole one made already. */
export function fill(id, rows, emptyText) {
  const heads = [...byId(id).tHead.rows[0].cells];
  const ready = rows.map((row) => (row instanceof Node ? row : line(heads, row)));
  const nothing = made("tr", { class: "empty" }, made("td", { colspan: heads.length, text: emptyText }));
  const focused = document.activeElement?.dataset.key;
  byId(id).tBodies[0].replaceChildren(...(ready.length ? ready : [nothing]));
  if (focused) document.querySelector(`#${id} [data-key="${focused}"]`)?.focus();
}

// --- what the gateway says ---

/** Why the gateway gave no answer: its HTTP status, 0 where there was none. */
export class NotRead extends Error {
  constructor(path, status) {
    super(status ? `${path}: ${status}` : `${path}: no answer`);
    this.status = status;
  }
}

export async function read(path) {
  const reply = await fetch(path).catch(() => { throw new NotRead(path, 0); });
  if (!reply.ok) throw new NotRead(path, reply.status);
  return reply.json();
}
