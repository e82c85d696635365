// The chain rule for any weight that the page knows, of the numbers that it holds; and its place in the drawing.

const lastOfStage = (stage) => stage.layers[stage.layers.length - 1].name;

/** Key -> {key, stage, name, unit, input, w, dC_dw, after, ...} of every trained weight; keys as in the drawing. */
function weightsOf(numbers) {
  const weights = new Map();
  numbers.stages.forEach((stage, s) => {
    if (!stage.is_trained) return;
    for (const weight of [...stage.edges, ...stage.weights]) {
      const key = `${s}:${weight.unit}${weight.input === null ? "" : `,${weight.input}`}`;
      weights.set(key, { ...weights.get(key), ...weight, key, stage: s });
    }
  });
  return weights;
}

const productOf = (factors) => factors.reduce((product, factor) => product * factor.value, 1);

/** Ways from the cost to the output of a unit, each with the factors of its part; null where an edge is not known. */
function pathsToUnit(numbers, s, unit) {
  const { stages } = numbers;
  if (s + 1 === stages.length) return [[errorOf(stages, s, unit)]];
  const paths = [];
  for (let next = 0; next < stages[s + 1].units; ++next) {
    const edge = stages[s + 1].edges.find((weight) => weight.unit === next && weight.input === unit);
    const behind = edge && pathsToUnit(numbers, s + 1, next);
    if (!behind) return null;
    for (const path of behind) paths.push([...path, ...slopeOf(stages, s + 1, next), edgeFactor(stages, s + 1, edge)]);
  }
  return paths;
}

/** The same from the errors of the next stage, over the edges that are known. */
function pathsFromNext(numbers, s, unit) {
  const { stages } = numbers;
  const behind = stages[s + 1];
  return (behind?.edges ?? []).filter((weight) => weight.input === unit).map((edge) => [
    { what: "dC/dz", where: `${behind.layers[0].name}[${edge.unit}]`, value: behind.dC_dz[edge.unit], stage: s + 1, unit: edge.unit },
    edgeFactor(stages, s + 1, edge)]);
}

const errorOf = (stages, s, unit) => ({ what: "dC/da", where: `${lastOfStage(stages[s])}[${unit}]`, value: stages[s].dC_da[unit], stage: s, unit });

const edgeFactor = (stages, s, edge) => ({
  what: "dz/da", where: `${stages[s].layers[0].name}[${edge.unit},${edge.input}]`, value: edge.w, stage: s, unit: edge.unit, input: edge.input,
});

function slopeOf(stages, s, unit) {
  return stages[s].layers.length < 2 ? [] : [{ what: "da/dz", where: `${lastOfStage(stages[s])}[${unit}]`, value: stages[s].da_dz[unit], stage: s, unit }];
}

/** As "chain" of the numbers, which is taken where it is of this weight. */
function chainOf(numbers, weight) {
  if (numbers.chain?.weight.name === weight.name) return numbers.chain;
  const { stages } = numbers;
  const { stage: s, unit, input } = weight;
  const many = stages.slice(s + 1).reduce((count, stage) => count * stage.units, 1);
  let ways = many <= 8 ? pathsToUnit(numbers, s, unit) : pathsFromNext(numbers, s, unit);
  let count = many <= 8 ? many : stages[s + 1].units;
  if (!ways || ways.length === 0) {  // the edges behind are not known: from the unit alone
    ways = [[errorOf(stages, s, unit)]];
    count = 1;
  }
  const from = input === null ? "1, of a bias" : `${s === 0 ? "x" : lastOfStage(stages[s - 1])}[${input}]`;
  const last = { what: "dz/dw", where: from, value: input === null ? 1 : stages[s].x[input] };
  const paths = ways.map((way) => {
    const factors = [...way, ...slopeOf(stages, s, unit), last];
    return { factors, product: productOf(factors) };
  });
  if (many > 8) paths.sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
  const kept = paths.slice(0, 8);
  const others = count > kept.length ? weight.dC_dw - kept.reduce((total, path) => total + path.product, 0) : 0;
  return { stage: s, weight, num_paths: count, paths: kept, others };
}

/** The keys of what a chain goes through, as the drawing has them. */
function marksOf(numbers, chain) {
  const marks = { edges: new Set(), units: new Set(), slopes: new Set(), errors: new Set(), picked: null, source: null };
  if (!chain) return marks;
  const { unit, input } = chain.weight;
  for (const { factors } of chain.paths) {
    const fromCost = factors[0].what === "dC/da" && factors[0].stage === numbers.stages.length - 1;
    if (fromCost) marks.units.add("cost");
    for (const factor of factors) {
      if (factor.what === "dz/dw") continue;
      const key = `${factor.stage}:${factor.unit}`;
      if (factor.what === "dz/da") {
        marks.edges.add(`${key},${factor.input}`);
        marks.units.add(`${factor.stage - 1}:${factor.input}`);
        continue;
      }
      marks.units.add(key);
      if (factor.what === "dC/da" && fromCost) marks.edges.add(`cost:${factor.unit}`);
      if (factor.what === "dC/dz") marks.errors.add(key);
      if (factor.what === "da/dz") marks.slopes.add(key);
    }
  }
  marks.picked = `${chain.stage}:${unit}${input === null ? "" : `,${input}`}`;
  marks.source = input === null ? `${chain.stage}:${unit}` : chain.stage === 0 ? `x:${input}` : `${chain.stage - 1}:${input}`;
  marks.units.add(marks.source);
  return marks;
}

/** Moves the highlight of the drawing. */
function markDrawing(drawing, marks) {
  const turn = (node, name, on) => node.classList.toggle(name, on);
  turn(drawing, "chosen", marks.picked !== null);
  for (const edge of drawing.querySelectorAll("[data-edge], [data-label]")) {
    const key = edge.dataset.edge ?? edge.dataset.label;
    turn(edge, "picked", key === marks.picked);
    turn(edge, "on", key === marks.picked || marks.edges.has(key));
  }
  for (const card of drawing.querySelectorAll("[data-unit]")) {
    const key = card.dataset.unit;
    const light = (part, on) => card.querySelectorAll(part).forEach((node) => turn(node, "lit", on));
    turn(card, "on", marks.units.has(key));
    light(".row.slope", marks.slopes.has(key));
    light(".row.error", marks.errors.has(key));
    light(".row.bias, .chip.of-bias", key === marks.picked);
    light(".chip.of-weight", key === marks.source && key !== marks.picked);
  }
}

const factorWhere = (where) => (where.startsWith("1,") ? "of a bias" : where);

/** One path as a row of fractions with their values. */
function productRow(path) {
  const block = (kind, of, value, where) => element("div", { class: kind }, element("div", { class: "of" }, of),
    element("div", { class: "value" }, value), element("div", { class: "where" }, where));
  const sign = (text) => element("div", { class: "sign" }, text);
  const blocks = path.factors.map(({ what, where, value }, i) => [i > 0 ? sign("·") : null, block("factor", math(what), term(value), factorWhere(where))]);
  return element("div", { class: "product" }, blocks.flat(), sign("="), block("factor result", math("dC/dw"), num(path.product), "product"));
}

/** Several paths below each other, and their sum. */
function pathsTable(chain) {
  const head = ["path", ...chain.paths[0].factors.map(({ what }) => math(what)), "product"];
  const rows = chain.paths.map((path, i) => [String(i + 1), ...path.factors.map(({ where, value }) =>
    element("span", {}, num(value), element("span", { class: "where" }, factorWhere(where)))), element("b", {}, num(path.product))]);
  const wide = (text, value) => [text, ...chain.paths[0].factors.map(() => ""), element("b", {}, num(value))];
  if (chain.num_paths > chain.paths.length) rows.push(wide("all others", chain.others));
  const made = table({ head, rows, kind: "paths" });
  made.append(element("tfoot", {}, element("tr", {}, wide("sum", chain.weight.dC_dw).map((cell, i) => element(i === 0 ? "th" : "td", {}, cell)))));
  return element("div", { class: "scroll", tabindex: "0" }, made);
}

/** The chain of the chosen weight, factor by factor. */
function drawChain(place, numbers, chain) {
  place.replaceChildren(element("h2", {}, chain ? `The chain of ${chain.weight.name}` : "The chain of a weight"));
  if (!chain) {
    place.append(element("p", { class: "hint" }, "Choose a weight – an edge of the drawing, a name in a table below, or in the list above it – "
      + "and its gradient is taken apart here, factor by factor."));
    return;
  }
  const { weight } = chain;
  const alone = chain.paths.length === 1 && chain.num_paths === 1;
  place.append(element("p", {}, alone
    ? "One way leads from the cost back to the weight. The factors on it, multiplied, are the gradient:"
    : `${num(chain.num_paths)} ways lead from the cost back to the weight. The factors on each are multiplied, and the products added:`));
  place.append(alone ? productRow(chain.paths[0]) : pathsTable(chain));
  place.append(pairsTable([
    ["the weight", element("span", {}, italic("w"), ` = ${num(weight.w)}`)],
    ["its gradient", element("span", {}, math("dC/dw"), ` = ${num(weight.dC_dw)}`)],
    ["central difference", weight.central_difference === undefined ? null : num(weight.central_difference)],
    ["after one step", element("span", {}, italic("w"), ` = ${num(weight.after)}`)]]));
}
