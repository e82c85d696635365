// What changed over the steps: loss, scores, learning rate, gradient norm, speed, and the parts of a step's time.

const kSplits = ["train", "test", "validation", "ema"];
const kDashes = { test: [], validation: [5, 3], train: [2, 3] };
const kOfOne = { test: "c0", train: "c1", validation: "c2", "train, at the end": "c3" };  // colours where there is one run

/** A column of metrics.csv taken apart: "validation_macro_recall" is the score "macro_recall" of "validation". */
function scoreOf(column) {
  const words = column.split("_");
  const of = [];
  while (words.length > 1 && kSplits.includes(words[0])) of.push(words.shift());
  return of.length === 0 ? null : { score: words.join("_"), split: of.join(" ") };
}

/** Whether smaller values of a score are better. */
const smallerIsBetter = (score) => /((loss|rmse|mae|mape|error|nll|deviance)$)|^(error|pinball)_/.test(score);
/** Shares of targets that lie below or within what the net says: right is the share that their name tells. */
const isCoverage = (score) => /^coverage/.test(score);

/** Of all runs, score -> [{run (its number), split, x, y, rows}], in the order of the files. */
function scoreCurves(runs) {
  const scores = new Map();
  runs.forEach((run, number) => {
    for (const [column, curve] of Object.entries(run.curves.epochs ?? {})) {
      const found = scoreOf(column);
      if (found === null) continue;
      // The loss of the training samples by the weights at an epoch's end, beside that of the epoch.
      if (found.score === "end_loss") Object.assign(found, { score: "loss", split: "train, at the end" });
      if (!scores.has(found.score)) scores.set(found.score, []);
      scores.get(found.score).push({ run: number, split: found.split, ...curve });
    }
  });
  return scores;
}

/** Of equal curves the lower ones show at the sides of the upper ones, which are of earlier runs. */
const widthOf = (run) => Math.min(1.75 + 1.5 * run, 5);

/** How a curve of a split of a run looks, beside those of other runs. */
function styleOf(runs, { run, split }) {
  if (runs.length === 1) {
    return { label: split, colour: kOfOne[split] ?? colourName(3 + split.length), dash: [], spanGaps: true };
  }
  return { label: `${runs[run].label}: ${split}`, width: widthOf(run), colour: colourName(run), dash: kDashes[split] ?? [8, 3, 2, 3], spanGaps: true };
}

const kNames = { rmse: "RMSE", mae: "MAE", r2: "R²", top5: "top-5 accuracy", f1: "F1", auc: "ROC AUC", mape: "MAPE",
  error_median: "median error", error_p90: "error of 90 %", error_p95: "error of 95 %", error_max: "largest error" };
const scoreName = (score) => kNames[score] ?? score.replaceAll("_", " ");
const titleText = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const kShares = ["accuracy", "top5", "macro_recall", "precision", "recall", "mape"];

function drawLoss(place, runs, curves) {
  const batches = runs.flatMap((run, number) => {
    const curve = run.curves.steps?.loss;
    if (!curve) return [];
    const alone = curves.length === 0;  // before the first epoch has ended
    const one = runs.length === 1;
    return [{ ...curve, label: one ? "batch" : `${run.label}: batch`, width: 1, dots: false, faint: !alone,
      colour: one && !alone ? "c6" : colourName(number), hidden: !one && !alone }];
  });
  if (batches.length + curves.length === 0) return emptyFigure(place, "Loss", "No step has been written yet.");
  return chartFigure({ place, id: "loss", title: "Loss", x: "step", y: "loss", logarithm: true,
    caption: "Mean over samples; of batches before their update, of training over the epoch, of tests after it. " +
      (runs.length === 1 ? lossNotes(runs[0]) : comparisonNotes(runs)),
    curves: [...curves.map((curve) => ({ ...curve, ...styleOf(runs, curve) })), ...batches] });
}

function drawScores(place, runs) {
  const scores = scoreCurves(runs);
  drawLoss(place, runs, scores.get("loss") ?? []);
  for (const [score, curves] of scores) {
    if (score === "loss") continue;
    const unit = score === "rmse" || score === "mae" || score.startsWith("error_") ? " (units of the target)" : kShares.includes(score) ? " (share)" : "";
    chartFigure({ place, id: `score-${score}`, title: titleText(scoreName(score)), x: "step", y: scoreName(score) + unit,
      caption: isCoverage(score) ? "Right is what its name says, no more and no less."
        : smallerIsBetter(score) ? "Smaller is better." : "Larger is better, at most 1.",
      curves: curves.map((curve) => ({ ...curve, ...styleOf(runs, curve) })) });
  }
}

/** A chart of one column of steps.csv, a curve a run. */
function drawSteps(place, runs, column, spec, missing) {
  const curves = runs.flatMap((run, number) => {
    const curve = run.curves.steps?.[column];
    return curve ? [{ ...curve, label: run.label, colour: colourName(number), dots: false, width: widthOf(number) }] : [];
  });
  if (curves.length === 0) return emptyFigure(place, spec.title, missing);
  return chartFigure({ place, x: "step", curves, ...spec });
}

function drawLearning(place, runs) {
  drawSteps(place, runs, "learning_rate", { id: "learning-rate", title: "Learning rate", y: "learning rate" },
    "No step has been written yet.");
  drawSteps(place, runs, "gradient_norm", { id: "gradient-norm", title: "Gradient norm", y: "norm", logarithm: true,
    caption: "Of the whole gradient, before clipping." },
  "Not measured in this run. log.gradient_norm = true measures it in every step, and so does optimizer.clip_norm.");
  // Columns of metrics.csv that are no scores of a split and are not drawn elsewhere.
  const known = ["learning_rate", "seconds", "samples_per_second"];
  const others = new Set(runs.flatMap((run) => Object.keys(run.curves.epochs ?? {}))
    .filter((column) => scoreOf(column) === null && !known.includes(column)));
  for (const column of others) {
    chartFigure({ place, id: `column-${column}`, title: titleText(scoreName(column)), x: "step", y: scoreName(column),
      curves: runs.flatMap((run, number) => (run.curves.epochs[column]
        ? [{ ...run.curves.epochs[column], label: run.label, colour: colourName(number), spanGaps: true }] : [])) });
  }
}

function drawSpeed(place, runs) {
  const curves = runs.flatMap((run, number) => {
    const epochs = run.curves.epochs?.samples_per_second;
    const steps = run.curves.steps?.samples_per_second;
    const one = runs.length === 1;
    return [
      steps ? { ...steps, label: one ? "since the start" : run.label, colour: colourName(number), dots: false, width: widthOf(number) } : null,
      epochs && one ? { ...epochs, label: "of an epoch", colour: "c1", spanGaps: true, width: 1.25, faint: true, dots: false } : null,
    ].filter((curve) => curve !== null);
  });
  if (curves.length === 0) return emptyFigure(place, "Samples a second", "No step has been written yet.");
  return chartFigure({ place, id: "speed", title: "Samples a second", x: "step", y: "samples/s",
    caption: "Of all ranks together, over the time of steps with their input; not loading, scoring, saving.",
    bounds: { y: { min: 0 } }, curves });
}

// The parts of a step's time: their names in the files, here, and their colours.
const kParts = [
  ["input", "wait for samples", "c6"],
  ["gather", "gather", "c5"],
  ["forward", "forward", "c4"],
  ["backward", "backward", "c0"],
  ["wait", "wait for ranks", "c1"],
  ["communication", "wait for hosts", "c3"],
  ["exchange", "exchange and update", "c2"],
];

/** Those that take any time; on one host there are no others to wait for. */
const partsOf = (takes) => kParts.filter(([phase]) => takes(phase));

/** The parts of a step over the run, and how far apart the ranks are in computing. */
function drawTimes(place, run) {
  const { step, phases, rows } = run.times ?? {};
  if (!step || step.length === 0) {
    return emptyFigure(place, "Time of a step", "No times have been written yet: a row is written when the next is due.");
  }
  const parts = partsOf((phase) => largestOf(phases[phase]?.max ?? []) > 0);
  const unit = timeUnit(largestOf(parts.flatMap(([phase]) => phases[phase].median)));
  const means = rows > step.length ? ` Means of ${numberText(rows)} rows over ${step.length} stretches.` : "";
  const scaled = (values) => values.map((value) => (isNumber(value) ? value * unit.a_second : null));
  chartFigure({ place, id: "times", title: "Time of a step", x: "step", y: `${unit.name} a step`, stacked: true,
    caption: `Medians over the ranks, one part on the other.${means}`, bounds: { y: { min: 0 } },
    curves: parts.map(([phase, label, colour], i) => ({ x: step, y: scaled(phases[phase].median), label, colour,
      fill: i === 0 ? "origin" : "-1", width: 1, dots: false, solid: false })) });
  const computing = (which) => scaled(step.map((_, i) => ["gather", "forward", "backward"]
    .reduce((sum, phase) => sum + (phases[phase]?.[which][i] ?? 0), 0)));
  return chartFigure({ place, id: "spread", title: "Computing, rank by rank", x: "step", y: `${unit.name} a step`,
    caption: "Gather, forward and backward: sums of the largest, median and smallest times of each over the ranks. Far " +
      "apart, ranks wait for the slowest.",
    bounds: { y: { min: 0 } },
    curves: [
      { x: step, y: computing("max"), label: "slowest", colour: "c1", width: 1.25, dots: false },
      { x: step, y: computing("median"), label: "median", colour: "c0", dots: false },
      { x: step, y: computing("min"), label: "fastest", colour: "c2", width: 1.25, dots: false },
    ] });
}

const secondsOf = (rank) => kParts.reduce((sum, [phase]) => sum + (rank[phase] ?? 0), 0);
const computingOf = (rank) => (rank.forward ?? 0) + (rank.backward ?? 0);

/** The parts of a step's time, a bar for each of `bars`: {label, times: {phase: seconds a step}}. */
function drawParts(place, spec, bars) {
  const parts = partsOf((phase) => bars.some(({ times }) => times[phase] > 0));
  const unit = timeUnit(Math.max(...bars.map(({ times }) => parts.reduce((sum, [phase]) => sum + (times[phase] ?? 0), 0))));
  return chartFigure({ place, type: "bar", stacked: true, y: `${unit.name} a step`, labels: bars.map(({ label }) => label),
    ...spec,
    curves: parts.map(([phase, label, colour]) => ({ label, colour, solid: true, x: bars.map((_, i) => i),
      y: bars.map(({ times }) => (times[phase] ?? 0) * unit.a_second) })) });
}

/** Where the time of each rank went, since this start of the run. */
function drawRanks(place, run) {
  const { shown = [], rows = 0 } = run.ranks ?? {};
  if (shown.length === 0 || !shown.some((rank) => rank.steps > 0)) {
    return emptyFigure(place, "Where the time goes, by rank", "Not known yet: it is written when the run ends or stops.");
  }
  const some = rows > shown.length ? ` Of ${numberText(rows)} ranks these are the ones that compute longest, one of each ` +
    `group of ${Math.ceil(rows / shown.length)}.` : "";
  const ranks = shown.filter((rank) => rank.steps > 0);
  const figure = drawParts(place, { id: "ranks", title: "Where the time goes, by rank", x: "rank", wide: true,
    caption: `Means over the ${countText(ranks[0].steps, "step")} since the last start.${some}` },
  ranks.map((rank) => ({ label: numberText(rank.rank), times: Object.fromEntries(kParts
    .filter(([phase]) => isNumber(rank[phase])).map(([phase]) => [phase, rank[phase] / rank.steps])) })));
  const parts = partsOf((phase) => ranks.some((rank) => rank[phase] > 0));
  figure.after(element("figure", { class: "wide" },
    element("h3", {}, "Ranks"),
    element("figcaption", {}, "Samples a second of a rank; the same while it computes; and the shares of its time."),
    element("div", { class: "scroll", tabindex: "0" }, table({
      head: ["rank", "host", "samples/s", "while computing", ...parts.map(([, label]) => label)],
      texts: [1],
      rows: ranks.map((rank) => [numberText(rank.rank), rank.host, Math.round(rank.samples / secondsOf(rank)),
        Math.round(rank.samples / computingOf(rank)), ...parts.map(([phase]) => percentText(rank[phase] / secondsOf(rank)))]),
    }))));
  return figure;
}

/** The same, a bar a run: means over its ranks. */
function drawPartsOfRuns(place, runs) {
  const bars = runs.filter((run) => run.ranks?.shown.some((rank) => rank.steps > 0)).map((run) => {
    const ranks = run.ranks.shown.filter((rank) => rank.steps > 0);
    return { label: run.label, times: Object.fromEntries(kParts.map(([phase]) => [phase,
      ranks.reduce((sum, rank) => sum + (rank[phase] ?? 0) / rank.steps, 0) / ranks.length])) };
  });
  if (bars.length < 2) return;
  drawParts(place, { id: "parts", title: "Where the time goes, by run", x: "run",
    caption: "Means over ranks and steps since the last start of each run." }, bars);
}
