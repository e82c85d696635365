"use strict";
// Elements and numbers as text. What the files hold goes into the page as text only, never as HTML.

/** An element with attributes and children; a child that is a text stays one, null and undefined are left out. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** So many significant digits, without an exponent where that is short: 0.98886, 2.3e-7, 90501. */
function numberText(value, digits = 5) {
  if (!isNumber(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size >= 1e4 && size < 1e15) return Math.round(value).toLocaleString("en-US");
  if (size < 1e-4 || size >= 1e15) return value.toExponential(digits - 2).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(digits)));
}

/** A length of time for people: 0.61 s, 12 min 3 s, 2 h 5 min. */
function secondsText(seconds) {
  if (!isNumber(seconds)) return "–";
  if (seconds < 100) return `${numberText(seconds, 3)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const percentText = (share) => (isNumber(share) ? `${(100 * share).toFixed(1)} %` : "–");

/** "1 rank", "2 ranks". */
const countText = (count, what) => `${numberText(count)} ${what}${count === 1 ? "" : "s"}`;

/** The unit in which times as long as `largest` seconds are read best: its name and how many of it are a second. */
function timeUnit(largest) {
  if (largest >= 1) return { name: "s", a_second: 1 };
  return largest >= 1e-3 ? { name: "ms", a_second: 1e3 } : { name: "µs", a_second: 1e6 };
}

/** The largest number of a list of any length, 0 of none. */
const largestOf = (values) => values.reduce((most, value) => (isNumber(value) && value > most ? value : most), 0);

/** The last number of a list, undefined of none. */
function lastOf(values) {
  for (let i = values.length - 1; i >= 0; --i) if (isNumber(values[i])) return values[i];
  return undefined;
}

/** A table of rows of cells; a cell is a text, a number or an element. `texts`: which columns hold texts. */
function table({ caption, head, rows, texts = [], kind = null }) {
  const side = (c) => (texts.includes(c) ? "text" : null);
  const cell = (value) => (typeof value === "number" ? numberText(value) : value ?? "–");
  return element("table", { class: kind },
    caption ? element("caption", {}, caption) : null,
    element("thead", {}, element("tr", {}, head.map((name, c) => element("th", { scope: "col", class: side(c) }, name)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map((value, c) => (c === 0
      ? element("th", { scope: "row" }, cell(value))
      : element("td", { class: side(c) }, cell(value))))))));
}

/** Names and what stands for them, side by side; what is null or undefined is left out. */
function pairsTable(pairs) {
  return element("table", { class: "pairs" }, element("tbody", {}, pairs
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name),
      element("td", {}, typeof value === "number" ? numberText(value) : value)))));
}

/** A choice among texts; `chosen` is called with the index, now and at each change. */
function chooser(label, texts, chosen) {
  const select = element("select", {}, texts.map((text, i) => element("option", { value: i }, text)));
  select.addEventListener("change", () => chosen(Number(select.value)));
  chosen(0);
  return element("label", { class: "choices" }, label, select);
}
