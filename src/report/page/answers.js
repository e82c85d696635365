// What the net answers: the confusion matrix of a classification, predicted against true of a regression, probabilities of
// a binary one.

const className = (scores, i) => String(scores.classes?.[i] ?? i);

/** Where the answers come from. */
function answersCaption(scores) {
  return `${numberText(scores.samples)} ${scores.split ?? "test"} samples after step ${numberText(scores.step)}.`;
}

function matrixTable(scores) {
  const counts = scores.confusion;
  const size = counts.length;
  const small = size > 26;
  const names = counts.map((_, i) => className(scores, i));
  const sums = counts.map((row) => row.reduce((a, b) => a + b, 0));
  const cell = (label, answer) => {
    const count = counts[label][answer];
    const share = sums[label] > 0 ? count / sums[label] : 0;
    // The share of a mistake is small and yet to be seen.
    const strength = count === 0 ? 0 : label === answer ? 0.12 + 0.83 * share : 0.18 + 0.8 * Math.sqrt(share);
    return element("td", { class: `count${strength > 0.55 ? " strong" : ""}`,
      title: `${names[label]} taken for ${names[answer]}: ${numberText(count)} of ${numberText(sums[label])}`,
      style: `--shade: var(--${label === answer ? "c0" : "c1"}); --share: ${(100 * strength).toFixed(1)}%` },
    count === 0 && !small ? "" : numberText(count));
  };
  return element("table", { class: small ? "matrix small" : "matrix" },
    element("thead", {}, element("tr", {}, element("td", {}),
      names.map((name) => element("th", { scope: "col", class: "class", title: name }, name)), element("th", { scope: "col" }, small ? "" : "recall"))),
    element("tbody", {}, counts.map((row, label) => element("tr", {}, element("th", { scope: "row", title: names[label] }, names[label]),
      row.map((_, answer) => cell(label, answer)),
      element("td", { class: "soft" }, small ? "" : sums[label] > 0 ? percentText(row[label] / sums[label]) : "–")))));
}

function mistakesTable(scores) {
  if (scores.mistakes.length === 0) return element("p", { class: "soft" }, "There are no mistakes.");
  return table({ head: ["label", "answer", "count"], texts: [1],
    rows: scores.mistakes.map(([label, answer, count]) => [className(scores, label), className(scores, answer), count]) });
}

function drawConfusion(place, scores) {
  const { confusion, size } = scores;
  place.append(element("figure", { id: "confusion", class: confusion && size > 12 ? "wide" : null },
    element("h3", {}, "Confusion matrix"),
    element("figcaption", {}, confusion
      ? `Rows are labels, columns answers. ${answersCaption(scores)} Shades are shares of a row.`
      : `Too large to be shown with ${numberText(size)} classes. ${answersCaption(scores)}`),
    confusion ? element("div", { class: "scroll tall", tabindex: "0" }, matrixTable(scores)) : null));
  place.append(element("figure", {}, element("h3", {}, "Mistakes"),
    element("figcaption", {}, "The most frequent ones."),
    element("div", { class: "scroll", tabindex: "0" }, mistakesTable(scores))));
}

/** Of a regression: a point a sample, on the line where they are equal. */
function drawPredicted(place, scores, output) {
  const there = scores.true[output].map((_, i) => i).filter((i) => isNumber(scores.true[output][i]));  // others are missing
  const x = there.map((i) => scores.true[output][i]);
  const y = there.map((i) => scores.predicted[output][i]);
  const all = [...x, ...y].filter(isNumber);
  const low = all.reduce((a, b) => Math.min(a, b));
  const high = all.reduce((a, b) => Math.max(a, b));
  const room = (high - low || Math.abs(high) || 1) * 0.04;
  const bounds = { min: low - room, max: high + room };
  chartFigure({ place, id: "predicted", title: "Predicted against true", type: "scatter",
    x: "true (units of the target)", y: "predicted", bounds: { x: bounds, y: bounds },
    caption: `${numberText(x.length)} of ${answersCaption(scores)} On the line they are equal.`,
    curves: [
      { label: "equal", x: [bounds.min, bounds.max], y: [bounds.min, bounds.max], colour: "c6", width: 1.5, dash: [5, 4], line: true, radius: 0 },
      { label: "sample", x, y, colour: "c0", dots: true, radius: x.length > 300 ? 2 : 3 },
    ] });
  const errors = x.map((value, i) => y[i] - value);
  drawBins(place, { id: "errors", title: "Errors", x: "predicted less true (units of the target)", caption: answersCaption(scores) },
    [{ label: "samples", colour: "c0", values: errors }]);
}

/** Counts of values in 24 equally wide bins. */
function drawBins(place, spec, groups, range = null) {
  const kBins = 24;
  const all = groups.flatMap(({ values }) => values).filter(isNumber);
  const [low, high] = range ?? [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
  const width = (high - low || 1) / kBins;
  const centre = (bin) => numberText(low + (bin + 0.5) * width, 3);
  chartFigure({ place, type: "bar", stacked: true, y: "samples", labels: Array.from({ length: kBins }, (_, bin) => centre(bin)),
    ...spec,
    curves: groups.map(({ label, colour, values }) => {
      const counts = new Array(kBins).fill(0);
      for (const value of values) if (isNumber(value)) ++counts[Math.min(kBins - 1, Math.floor((value - low) / width))];
      return { label, colour, solid: true, x: counts.map((_, bin) => bin), y: counts };
    }) });
}

/** Of a binary classification: how sure the net is, by what is right. */
function drawProbabilities(place, scores, output) {
  const of = (one) => scores.predicted[output].filter((_, i) => isNumber(scores.true[output][i]) && (scores.true[output][i] > 0.5) === one);
  drawBins(place, { id: "probabilities", title: "Probabilities by truth", x: "predicted probability of 1",
    caption: `${numberText(scores.true[output].length)} of ${answersCaption(scores)} Right are those above ${numberText(scores.threshold ?? 0.5)} for 1 and below for 0.` },
  [{ label: "true 0", colour: "c1", values: of(false) }, { label: "true 1", colour: "c0", values: of(true) }], [0, 1]);
}

function drawAnswers(place, run) {
  const { scores } = run;
  if (!scores) {
    return emptyFigure(place, "Answers", "Not known: they are written when a run with test data ends or stops.");
  }
  if (scores.mistakes) return drawConfusion(place, scores);
  if (!scores.true || scores.true.length === 0 || scores.true[0].length === 0) {
    return emptyFigure(place, "Answers", "A matrix of so many classes is not kept.");
  }
  const draw = scores.task === "binary" ? drawProbabilities : drawPredicted;
  if (scores.true.length === 1) return draw(place, scores, 0);
  // Figures stay in the grid of the others; a choice stands above.
  const inside = element("div", { class: "charts", style: "grid-column: 1 / -1" });
  const choice = element("div", { style: "grid-column: 1 / -1" });
  place.append(choice, inside);
  choice.append(chooser(`Output (${scores.true.length} of ${scores.outputs})`, scores.true.map((_, i) => className(scores, i)), (i) => {
    clear(inside);
    draw(inside, scores, i);
  }));
  return inside;
}

/** By how much a score is worse when an input is shuffled, as evaluate --importance has measured it. */
function drawImportance(place, { importance }) {
  if (!importance) return;
  const { inputs, count, score, whole, repeats, data, samples, step } = importance;
  const most = largestOf(inputs.map(({ mean }) => mean));
  const bar = (mean) => element("div", { class: "bar", style: `width: ${most > 0 ? Math.max(0, 100 * mean / most).toFixed(1) : 0}%` });
  place.append(element("figure", { id: "importance" }, element("h3", {}, "What matters"),
    element("figcaption", {}, `By how much ${scoreName(score)} (${numberText(whole)}) ${smallerIsBetter(score) ? "grows" : "falls"} when an ` +
      `input is shuffled: mean and deviation of ${countText(repeats, "time")}, on ${numberText(samples)} samples of ` +
      `${data}, after step ${numberText(step)}.` +
      (count > inputs.length ? ` The ${inputs.length} of ${numberText(count)} inputs that matter most.` : "")),
    element("div", { class: "scroll", tabindex: "0" }, table({ kind: "bars", head: ["input", "", "mean", "deviation"], texts: [1],
      rows: inputs.map(({ input, columns, mean, deviation }) => [
        element("span", { title: columns.length > 1 ? `${columns.length} columns` : null }, input), bar(mean),
        numberText(mean, 4), numberText(deviation, 3)]) }))));
}
