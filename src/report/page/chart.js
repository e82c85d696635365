// One chart: Chart.js with axes, legend and colours as all charts here have them, a text in its place for those who do
// not see it, and its numbers as a table.

const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const kColours = 7;
const kTableRows = 200;

/** Colour of the i-th curve or run, by name: they change with the colour scheme. */
const colourName = (i) => `c${i % kColours}`;

/** Charts on the page, to be drawn again when the colour scheme changes. */
const charts = [];

function withColours(chart, curves) {
  chart.data.datasets.forEach((dataset, i) => {
    const colour = colourOf(curves[i].colour);
    dataset.borderColor = curves[i].faint ? `${colour}70` : colour;
    dataset.backgroundColor = curves[i].veil ? `${colour}38` : curves[i].solid ? colour : `${colour}c0`;
    dataset.pointBackgroundColor = curves[i].faint ? `${colour}70` : colour;
  });
  const { options } = chart;
  options.color = colourOf("text");
  for (const scale of Object.values(options.scales)) {
    scale.grid.color = colourOf("grid");
    scale.ticks.color = colourOf("soft");
    scale.title.color = colourOf("soft");
  }
  chart.update();
}

function axis(title, more = {}) {
  return {
    title: { display: true, text: title, font: { size: 12 } },
    grid: {},
    ...more,
    ticks: { maxRotation: 0, autoSkipPadding: 12, includeBounds: false, font: { size: 11 }, ...more.ticks },
  };
}

/** Of a logarithmic axis only 1, 2 and 5 times a power of ten are labelled. */
function logarithmicTick(value) {
  const digit = Number(value.toExponential().charAt(0));
  return [1, 2, 5].includes(digit) ? numberText(value, 3) : "";
}

/** What the legend shows of a curve: its line, as it is drawn. */
function legendItems(chart, bars) {
  return chart.data.datasets.map((dataset, i) => ({
    text: dataset.label, datasetIndex: i, hidden: !chart.isDatasetVisible(i), fontColor: chart.options.color,
    pointStyle: bars ? "rect" : dataset.showLine ? "line" : "circle", fillStyle: dataset.backgroundColor, strokeStyle: dataset.borderColor,
    lineWidth: bars ? 0 : Math.max(2, dataset.borderWidth), lineDash: dataset.borderDash,
  }));
}

/** Where the y axis of curves that never change has its ends and ticks: the curve in the middle, with its value beside it. */
function aroundConstant(curves) {
  const numbers = curves.flatMap(({ y }) => y).filter(isNumber);
  const value = numbers[0];
  if (numbers.length === 0 || value === 0 || numbers.some((other) => other !== value)) return {};
  return { min: Math.min(0, 2 * value), max: Math.max(0, 2 * value),
    ticks: { stepSize: Math.abs(value) / 2, callback: (tick) => numberText(tick) } };
}

/** What a curve does, in a sentence. */
function describeCurve({ label, x, y }, xTitle) {
  const numbers = y.filter(isNumber);
  if (numbers.length === 0) return `${label}: no number.`;
  const least = numbers.reduce((a, b) => Math.min(a, b));
  const most = numbers.reduce((a, b) => Math.max(a, b));
  const at = (value) => `${numberText(value)} at ${xTitle} ${numberText(x[y.indexOf(value)])}`;
  return `${label}: ${countText(numbers.length, "point")}, from ${numberText(numbers[0])} to ` +
    `${numberText(numbers[numbers.length - 1])}, smallest ${at(least)}, largest ${at(most)}.`;
}

/** The numbers of the curves, a row for each x; of more than kTableRows evenly chosen ones. */
function numbersTable({ title, x: xTitle, curves, labels }) {
  const rows = new Map();
  curves.forEach((curve, c) => curve.x.forEach((x, i) => {
    if (!rows.has(x)) rows.set(x, new Array(curves.length).fill(null));
    rows.get(x)[c] = curve.y[i];
  }));
  let all = [...rows.entries()];
  if (!labels) all.sort((a, b) => a[0] - b[0]);
  const total = all.length;
  if (total > kTableRows) {
    all = Array.from({ length: kTableRows }, (_, i) => all[Math.round(i * (total - 1) / (kTableRows - 1))]);
  }
  const told = total > all.length ? `${title}: ${all.length} of ${numberText(total)} rows` : title;
  return element("div", { class: "scroll", tabindex: "0" }, table({
    caption: told,
    head: [xTitle, ...curves.map((curve) => curve.label)],
    rows: all.map(([x, values]) => [labels ? labels[x] : numberText(x, 8), ...values.map((v) => numberText(v, 6))]),
  }));
}

/**
 * A figure with a chart.
 *   id, title, caption   x, y: titles of the axes with their units
 *   type                 line, scatter or bar; a bar chart has `labels`, and its curves' x count from 0
 *   curves               {label, x, y, colour (a name), dash, width, faint, veil, solid, fill, dots, hidden}
 *   stacked, logarithm   whether curves stand on each other; whether a logarithmic axis is offered
 *   bounds               {x: {min, max}, y: {min, max}}
 */
function chartFigure(spec) {
  const { id, title, caption, type = "line", curves, labels, stacked = false, bounds = {} } = spec;
  const canvas = element("canvas", { id, role: "img",
    "aria-label": `${title}. ${curves.map((curve) => describeCurve(curve, spec.x)).join(" ")}` });
  const details = element("details", {}, element("summary", {}, "Numbers"));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(numbersTable(spec));
  });
  const choices = element("div", { class: "choices" });
  const thinned = curves.filter((curve) => curve.rows > curve.x.length);
  const told = thinned.length === 0 ? "" : ` Drawn are ${numberText(Math.max(...thinned.map((c) => c.x.length)))} of ` +
    `${numberText(Math.max(...thinned.map((c) => c.rows)))} points, the smallest and largest of each stretch among them.`;
  const figure = element("figure", { class: spec.wide ? "wide" : null }, element("h3", {}, title),
    element("figcaption", {}, (caption ?? "") + told), choices,
    element("div", { class: "canvas" }, canvas), details);
  spec.place.append(figure);  // Chart.js takes its size from the page

  const bars = type === "bar" || stacked;
  const linear = { ...(type === "line" && !stacked ? aroundConstant(curves) : {}), ...bounds.y };
  const few = (curve) => curve.dots ?? (curve.x.length <= 60);
  const chart = new Chart(canvas, {
    type,
    data: {
      labels,
      datasets: curves.map((curve) => ({
        label: curve.label,
        data: labels ? curve.y : curve.x.map((x, i) => ({ x, y: isNumber(curve.y[i]) ? curve.y[i] : NaN })),
        borderWidth: type === "bar" ? 0 : curve.width ?? 2,
        borderDash: curve.dash ?? [],
        fill: curve.fill ?? false,
        hidden: curve.hidden ?? false,
        pointRadius: curve.x.length === 1 ? 4 : few(curve) ? curve.radius ?? 2 : 0,
        pointHitRadius: 6,
        pointBorderWidth: 0,
        spanGaps: curve.spanGaps ?? false,
        showLine: type !== "scatter" || curve.line === true,
        maxBarThickness: 70,
      })),
    },
    options: {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      normalized: type === "line",
      parsing: labels ? undefined : false,
      interaction: type === "scatter" ? { mode: "nearest", intersect: true }
        : { mode: labels ? "index" : "nearest", axis: "x", intersect: false },
      scales: {
        x: axis(spec.x, labels ? { stacked } : { type: "linear", min: 0, max: Math.max(1, ...curves.map((curve) => largestOf(curve.x))), ...bounds.x }),
        y: axis(spec.y, { stacked, ...linear }),
      },
      plugins: {
        legend: { display: curves.length > 1, position: "bottom", maxHeight: 110,
          labels: { usePointStyle: true, boxWidth: bars ? 12 : 28, font: { size: 12 },
            generateLabels: (of) => legendItems(of, bars) } },
        tooltip: { callbacks: {
          title: (items) => (items.length === 0 ? "" : `${spec.x} ${items[0].label}`),
          label: (item) => `${item.dataset.label}: ${type === "scatter" ? `${numberText(item.parsed.x)} / ` : ""}` +
            `${numberText(item.parsed.y)}`,
        } },
      },
    },
  });
  if (spec.logarithm && curves.every((curve) => curve.y.every((value) => !isNumber(value) || value > 0))) {
    const box = element("input", { type: "checkbox" });
    box.addEventListener("change", () => {
      chart.options.scales.y = axis(spec.y, box.checked
        ? { type: "logarithmic", ticks: { callback: logarithmicTick } } : linear);
      withColours(chart, curves);
    });
    choices.append(element("label", {}, box, " logarithmic"));
  }
  charts.push({ chart, curves });
  withColours(chart, curves);
  return figure;
}

/** In the place of a chart that there are no numbers for. */
function emptyFigure(place, title, why) {
  place.append(element("figure", {}, element("h3", {}, title), element("div", { class: "empty" }, why)));
}

/** Takes a part of the page, with its charts, off it. */
function clear(place) {
  for (const canvas of place.querySelectorAll("canvas")) {
    const at = charts.findIndex(({ chart }) => chart.canvas === canvas);
    if (at >= 0) charts.splice(at, 1)[0].chart.destroy();
  }
  place.replaceChildren();
}

function followColourScheme() {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const { chart, curves } of charts) withColours(chart, curves);
  });
}
