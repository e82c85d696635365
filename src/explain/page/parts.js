// Forward, cost, backward and the step, as formulas and tables.

/** Whether `sums` sums of `terms` terms are written out. */
const isShort = (sums, terms) => terms <= 9 && sums * terms <= 64;

const activated = (stage) => stage.layers.length > (stage.has_weights ? 1 : 0);
const isWhole = (stage) => stage.shown_units.length === stage.units && stage.shown_inputs.length === stage.inputs;
const onlySome = (shown, all, what) => (shown === all ? null : element("p", { class: "soft" }, `${shown} of ${all} ${what}`));
const boxed = (made) => element("div", { class: "scroll", tabindex: "0" }, made);

function stageTitle(stage) {
  return element("h3", {}, stage.name, element("span", { class: "soft" }, ` ${countText(stage.inputs, "input")}, ${countText(stage.units, "unit")}`));
}

/** A weight's name, by which it is chosen. */
const pick = (numbers, s, weight) => (numbers.stages[s].is_trained
  ? element("button", { class: "pick", "data-pick": `${s}:${weight.unit}${weight.input === null ? "" : `,${weight.input}`}` }, weight.name)
  : weight.name);

/** The sums behind z, where they are short. */
function forwardSums(stage) {
  if (!stage.has_weights || !isShort(stage.units, stage.inputs + 1) || !isWhole(stage)) return null;
  return element("ul", { class: "sums" }, stage.shown_units.map((unit) => {
    const terms = stage.edges.filter((weight) => weight.unit === unit)
      .map((weight) => (weight.input === null ? term(weight.w) : `${term(weight.w)} · ${term(stage.x[weight.input])}`));
    return sum(`z[${unit}]`, terms, stage.z[unit]);
  }));
}

function drawForward(place, numbers) {
  const [first] = numbers.stages;
  place.append(element("p", {}, "From the sample to the cost: each unit weighs its inputs, adds its bias, and its activation makes ",
    math("a"), " of the sum ", math("z"), ". The ", math("a"), " of a layer are the ", math("x"), " of the next."));
  const inputs = first.shown_inputs.map((i) => element("span", {}, math(`x[${i}]`), " = ", element("b", {}, num(first.x[i]))));
  place.append(element("div", { class: "card inputs", "data-stage": "x" }, element("h3", {}, "inputs"), element("p", {}, inputs),
    onlySome(first.shown_inputs.length, first.inputs, "inputs, the largest")));
  numbers.stages.forEach((stage, s) => {
    const columns = [["z", stage.z], ...(activated(stage) ? [["a", stage.a], ["da/dz", stage.da_dz]] : [])];
    place.append(element("div", { class: "card", "data-stage": s }, stageTitle(stage),
      stage.layers.map((layer, i) => formulas(layer.formula.value, i === 0 && stage.has_weights ? null : layer.formula.slope)),
      forwardSums(stage),
      boxed(table({ head: ["unit", ...columns.map(([name]) => math(name))],
        rows: stage.shown_units.map((unit) => [String(unit), ...columns.map(([, values]) => num(values[unit]))]) })),
      onlySome(stage.shown_units.length, stage.units, "units, those of the largest errors and of the chain")));
  });
}

function className(loss, label) {
  const name = loss.classes[label];
  return name === undefined || name === String(label) ? String(label) : `${label} (${name})`;
}

function drawCost(place, numbers) {
  const { loss, stages } = numbers;
  const shown = stages[stages.length - 1].shown_units;
  const labelled = loss.label !== null;
  const title = (i) => (labelled ? className(loss, i) : String(i));
  const rows = shown.map((i) => [title(i), num(loss.outputs[i]), ...(labelled ? [] : [num(loss.targets[i])]), num(loss.dC_da[i])]);
  place.append(element("div", { class: "card", "data-stage": "cost" }, element("h3", {}, loss.type),
    formulas(loss.formula.value, loss.formula.slope),
    labelled ? element("p", {}, math("t"), ` = ${className(loss, loss.label)}`) : null,
    boxed(table({ head: ["output", math("a"), ...(labelled ? [] : [math("t")]), math("dC/da")], rows })),
    onlySome(shown.length, loss.outputs.length, "outputs, those of the largest errors"),
    element("p", { class: "total" }, math("C"), " = ", element("b", {}, num(loss.cost)))));
}

/** What the errors of the next stage give for dC/da, where the sums are short. */
function backwardSums(stages, s) {
  const behind = stages[s + 1];
  if (!behind || !isShort(stages[s].shown_units.length, behind.units) || behind.shown_units.length < behind.units) return null;
  return element("ul", { class: "sums" }, stages[s].shown_units.map((unit) => {
    const terms = behind.edges.filter((weight) => weight.input === unit).map((weight) => `${term(behind.dC_dz[weight.unit])} · ${term(weight.w)}`);
    return sum(`dC/da[${unit}]`, terms, stages[s].dC_da[unit]);
  }));
}

function errorsTable(stage) {
  const columns = stage.layers.length === 1 ? [["dC/dz", stage.dC_dz]]
    : [["dC/da", stage.dC_da], ["da/dz", stage.da_dz], ["dC/dz", stage.dC_dz]];
  const signs = ["", "·", "="];
  return boxed(table({ kind: "errors", head: ["unit", ...columns.map(([name], i) => [signs[i] ? `${signs[i]} ` : "", ...math(name)])],
    rows: stage.shown_units.map((unit) => [String(unit), ...columns.map(([, values]) => num(values[unit]))]) }));
}

function gradientsTable(numbers, s) {
  const stage = numbers.stages[s];
  const both = stage.layers.length > 1;
  const head = both ? [math("dC/da"), ["· ", ...math("da/dz")], ["· ", ...math("dz/dw")], ["= ", ...math("dC/dw")]]
    : [math("dC/dz"), ["· ", ...math("dz/dw")], ["= ", ...math("dC/dw")]];
  return boxed(table({ kind: "gradients", head: ["weight", ...head], rows: stage.weights.map((weight) => {
    const { dC_da: ofUnit, da_dz: ofActivation, dz_dw: ofWeight } = weight.factors;
    return [pick(numbers, s, weight), ...[ofUnit, ...(both ? [ofActivation] : []), ofWeight, weight.dC_dw].map((value) => num(value))];
  }) }));
}

function drawBackward(place, numbers) {
  const { stages } = numbers;
  place.append(element("p", {}, "From the cost back, by the chain rule: what the cost changes with a unit's output, ", math("dC/da"),
    ", times the slope of its activation is the unit's error ", math("dC/dz"), "; the error times what a weight is multiplied by is the weight's gradient."));
  for (let s = stages.length - 1; s >= 0; --s) {
    const stage = stages[s];
    if (!stage.has_weights) continue;
    const card = element("div", { class: "card", "data-stage": s }, stageTitle(stage));
    place.append(card);
    if (stage.dC_dz.length === 0) {
      card.append(element("p", {}, "Frozen, as all before it: nothing is passed back to here."));
      continue;
    }
    const hidden = s + 1 < stages.length;
    card.append(formulas(hidden ? "dC/da[j] = Σ[i] dC/dz[i] w[i,j], of the next layer" : "dC/da: see the cost",
      stage.layers.length > 1 ? "dC/dz = dC/da * da/dz" : "dC/dz = dC/da, since a = z"));
    card.append(...[hidden ? backwardSums(stages, s) : null, errorsTable(stage),
      onlySome(stage.shown_units.length, stage.units, "units, those of the largest errors and of the chain")].filter(Boolean));
    if (!stage.is_trained) {
      card.append(element("p", {}, "Frozen: no gradient of its own."));
      continue;
    }
    const bias = stage.edges.some((weight) => weight.input === null);
    card.append(formulas("dC/dw[i,j] = dC/dz[i] x[j]", bias ? "dC/db[i] = dC/dz[i]" : null), gradientsTable(numbers, s));
    card.append(...[onlySome(stage.weights.length, stage.num_weights, "weights, those of the largest gradients")].filter(Boolean));
  }
}

function drawStep(place, numbers) {
  const { update, stages } = numbers;
  const clipped = update.clip < 1 ? `, clipped by ${num(update.clip)}` : "";
  place.append(element("p", {}, `One step of ${update.optimizer} on this sample alone, learning rate ${num(update.learning_rate)}${clipped}. `
    + `New w: ${update.rule}. `
    + "Beside each gradient stands what it was measured as: the cost with the weight a little larger, less that with it a little smaller, over the difference."));
  const rows = stages.flatMap((stage, s) => (stage.is_trained ? stage.weights : []).map((weight) => {
    const kink = weight.central_difference === null;
    return [pick(numbers, s, weight), num(weight.w), num(weight.dC_dw), kink ? "kink" : num(weight.central_difference),
      kink ? "" : num(weight.relative_difference, 2), num(weight.after)];
  }));
  place.append(boxed(table({ kind: "step", head: ["weight", math("w"), math("dC/dw"), "central difference", "off by", ["new ", ...math("w")]], rows })));
  if (stages.some((stage) => stage.is_trained && stage.weights.some((weight) => weight.central_difference === null))) {
    place.append(element("p", { class: "soft" }, "kink: the cost has no derivative there that a difference could show"));
  }
}
