// Which losses and scores can be compared, in words; by the keys of the runs.

const keyOf = (run, key) => run.keys.find(([name]) => name === key)?.[1] ?? "";
const isRegression = (run) => /type = "(mse|mae|huber)"/.test(keyOf(run, "model.loss"));
const isNormalized = (run) => isRegression(run) && !["", '"none"'].includes(keyOf(run, "data.normalize"));
const listText = (texts) => texts.join(", ").replace(/, ([^,]*)$/, " and $1");

function dropsUnits(run) {
  const layers = keyOf(run, "model.layers").match(/{[^{}]*}/g) ?? [];
  return layers.some((layer) => layer.includes('type = "dropout"') && Number(layer.match(/rate = ([^,}\s]+)/)?.[1] ?? 0.5) > 0);
}

/** Why the training loss of a run cannot be held against those of tests. */
function trainingNotes(run) {
  return [dropsUnits(run) ? "dropout acts in training alone" : null,
    Number(keyOf(run, "train.ema")) > 0 ? "tests are of the averaged weights" : null].filter((note) => note !== null);
}

/** Of one run, what its losses mean beside each other and beside those of other runs. */
function lossNotes(run) {
  const notes = trainingNotes(run);
  const loss = keyOf(run, "model.loss");
  const told = notes.length === 0 ? [] : [`The training loss does not compare with the others: ${listText(notes)}.`];
  if (isNormalized(run)) told.push("All are in normalised units, RMSE and MAE in the target's own.");
  const changed = [loss.includes("class_weights") ? "samples count by the weights of their classes" : null,
    /label_smoothing = (?!0\.0\b)/.test(loss) ? "labels are smoothed" : null,
    /pos_weight = (?!1\.0\b)/.test(loss) ? "ones count by pos_weight" : null].filter((text) => text !== null);
  if (changed.length > 0) told.push(`In training and tests ${listText(changed)}: other runs' losses do not compare.`);
  return told.join(" ");
}

/** Of several runs, what of them does not compare. */
function comparisonNotes(runs) {
  const differing = (...keys) => keys.filter((key) => new Set(runs.map((run) => keyOf(run, key))).size > 1);
  const told = [];
  const ofLoss = differing("model.loss", ...(runs.some(isRegression) ? ["data.normalize"] : []),
    ...(runs.some(isNormalized) ? ["data.train"] : []));
  if (ofLoss.length > 0) told.push(`Losses do not compare between these runs, which differ in ${listText(ofLoss)}.`);
  if (differing("data.test").length > 0) told.push("Their tests are of different data (data.test).");
  const ofSplit = differing("data.train", "data.validation", "seed");
  if (ofSplit.length > 0 && runs.some((run) => Number(keyOf(run, "data.validation")) > 0)) {
    told.push(`Their validation samples are not the same (${listText(ofSplit)}).`);
  }
  const apart = runs.filter((run) => trainingNotes(run).length > 0);
  if (apart.length > 0) {
    const why = [...new Set(apart.flatMap(trainingNotes))];
    told.push(`Training losses do not compare with those of tests in ${listText(apart.map((run) => run.label))}: ${listText(why)}.`);
  }
  return told.join(" ");
}
