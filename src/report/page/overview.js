// What one wants to know first, and what stands in words: state, last and best scores, the resolved run, the machine.

const kStates = {
  finished: ["✓ finished", "good"],
  stopped: ["❚❚ stopped early", "soft"],
  running: ["▶ under way, or cut off", "soft"],
  diverged: ["✗ diverged", "bad"],
  unsaved: ["✗ last state not saved", "bad"],
};

/** State of a run: by its own word, or, of a run without status.json, by its summary. */
function stateOf(run) {
  const state = run.status?.state ?? (run.summary ? "finished" : "running");
  const [text, kind] = kStates[state] ?? [String(state), "soft"];
  return { state, text, kind };
}

/** What summary.json tells, or else status.json, or else the last rows. */
function factsOf(run) {
  const at = { ...run.status, ...run.summary };
  const epochs = run.curves.epochs ?? {};
  const steps = run.curves.steps ?? {};
  return {
    steps: at.steps ?? at.step ?? lastOf(steps.loss?.x ?? []),
    total: run.status?.total_steps,
    epochs: at.epochs,
    seconds: at.seconds ?? lastOf(epochs.seconds?.y ?? []),
    speed: at.samples_per_second ?? lastOf(steps.samples_per_second?.y ?? []),
    ranks: at.ranks,
    nodes: at.nodes,
    digest: at.digest,
    checkpoint: at.checkpoint,
    parameters: at.parameters,
  };
}

/** A score of the state that a run ends with, which need not be that of its last epoch; undefined where it has none. */
function endOf(run, split, score, values) {
  const told = run.summary?.[split]?.[score];
  if (isNumber(told)) return told;
  return run.summary?.restored ? undefined : lastOf(values);
}

/** Each score of a run, at its end and at its best: [{name, split, score, end, best, step}]; tests first. */
function scoresOf(run) {
  const order = ["test", "validation"];
  const rank = ({ split }) => (order.indexOf(split) + 1 || order.length + 1);
  const found = [];
  for (const [score, curves] of scoreCurves([run])) {
    for (const { split, x, y } of curves) {
      let best = -1;
      y.forEach((value, i) => {
        if (isNumber(value) && (best < 0 || (smallerIsBetter(score) ? value < y[best] : value > y[best]))) best = i;
      });
      if (best < 0) continue;
      const end = endOf(run, split, score, y);
      found.push({ name: `${split} ${scoreName(score)}`, split, score, end, ...(isCoverage(score) ? {} : { best: y[best], step: x[best] }) });
    }
  }
  return found.sort((a, b) => rank(a) - rank(b) || (a.score === "loss") - (b.score === "loss"));
}

/** Of a run that ends with the state of its best checkpoint. */
const restoredText = ({ restored, best }) => `The run ends with the state of its best checkpoint${best ? ` by ${best.monitor}` : ""}, ` +
  `of epoch ${numberText(restored.epoch)} (step ${numberText(restored.step)}). The scores here are of that state; the curves go on behind it.`;

function tile(name, value, more) {
  return element("dl", { class: "tile" }, element("dt", {}, name), element("dd", {}, value),
    more ? element("dd", { class: "soft" }, more) : null);
}

function badge(run) {
  const { text, kind } = stateOf(run);
  return element("span", { class: `badge ${kind}` }, text);
}

function drawHead(place, run) {
  const facts = factsOf(run);
  place.append(element("header", {},
    element("div", { class: "title" }, element("h1", {}, run.name), badge(run)),
    element("p", { class: "soft" }, run.folder),
    run.status?.why ? element("p", { class: stateOf(run).kind }, run.status.why) : null,
    run.summary?.restored ? element("p", {}, restoredText(run.summary)) : null));
  const tiles = scoresOf(run).slice(0, 6)
    .map(({ name, end, best, step }) => tile(name, numberText(end), best === undefined ? "" : `best ${numberText(best)}, step ${numberText(step)}`));
  const steps = isNumber(facts.total) && facts.total !== facts.steps
    ? `${numberText(facts.steps)} of ${numberText(facts.total)}` : numberText(facts.steps);
  tiles.push(tile("samples a second", numberText(facts.speed), "all ranks"),
    tile("time of steps", secondsText(facts.seconds), "over all starts"),
    tile("steps", steps, isNumber(facts.epochs) ? countText(facts.epochs, "epoch") : null));
  if (isNumber(facts.ranks)) tiles.push(tile("ranks", numberText(facts.ranks), isNumber(facts.nodes) ? `on ${countText(facts.nodes, "host")}` : null));
  place.append(element("div", { class: "tiles" }, tiles));
  if (facts.digest) place.append(element("p", { class: "soft" }, "digest ", element("span", { class: "mono" }, facts.digest)));
}

/** Several runs: a row each. */
function drawComparison(place, runs) {
  place.append(element("header", {}, element("div", { class: "title" }, element("h1", {}, `${runs.length} runs`))));
  const scores = runs.map(scoresOf);
  const names = [...new Set(scores.flatMap((all) => all.map(({ name }) => name)))];
  const digests = runs.map((run) => factsOf(run).digest);
  const told = (i) => {
    if (!digests[i]) return "–";
    const same = digests.indexOf(digests[i]);
    return element("span", { class: "mono", title: digests[i] },
      same < i ? `as ${runs[same].label}` : digests[i].slice(0, 12));
  };
  const rows = runs.map((run, i) => {
    const facts = factsOf(run);
    return [
      element("span", { title: run.folder }, element("span", { class: "swatch", style: `background: var(--${colourName(i)})` }), run.label),
      element("span", { class: stateOf(run).kind }, stateOf(run).text),
      ...names.map((name) => {
        const found = scores[i].find((score) => score.name === name);
        return found ? element("span", found.best === undefined ? {} : { title: `best ${numberText(found.best)}, step ${numberText(found.step)}` }, numberText(found.end)) : "–";
      }),
      facts.steps, numberText(facts.speed), secondsText(facts.seconds), facts.ranks, told(i),
    ];
  });
  place.append(element("figure", {}, element("div", { class: "scroll", tabindex: "0" }, table({
    caption: `Scores are of the states that the runs end with. One digest, the same bits. ${comparisonNotes(runs)}`,
    head: ["run", "state", ...names, "steps", "samples/s", "time of steps", "ranks", "digest"],
    texts: [1], rows }))));
}

/** Keys in which the runs differ. */
function drawDifferences(place, runs) {
  const values = runs.map((run) => new Map(run.keys));
  const keys = [...new Set(runs.flatMap((run) => run.keys.map(([key]) => key)))]
    .filter((key) => key !== "name" && new Set(values.map((of) => of.get(key) ?? "")).size > 1);
  if (keys.length === 0) {
    place.append(element("p", { class: "soft" }, "The runs have the same keys, but for their names."));
    return;
  }
  place.append(element("figure", {}, element("div", { class: "scroll", tabindex: "0" }, table({
    kind: "free", caption: "Keys that are not the same in all runs", head: ["key", ...runs.map((run) => run.label)],
    texts: runs.map((_, i) => i + 1),
    rows: keys.map((key) => [key, ...values.map((of) => element("span", { class: "mono" }, of.get(key) || "unset"))]) }))));
}

function drawMachine(place, run) {
  const machine = run.status?.machine;
  const at = { ...run.status, ...run.summary };
  const versions = Object.entries(machine?.versions ?? {})
    .map(([name, version]) => (/^[A-Za-z]/.test(version) ? version : `${name} ${version}`)).join(", ");
  place.append(element("div", {}, element("h3", {}, "Job"), pairsTable([
    ["started", run.status?.started], ["ended", run.status?.ended],
    ["ranks", at.ranks], ["hosts", at.nodes], ["shards", at.shards], ["exchange", at.exchange],
    ["between hosts", at.nodes > 1 ? at.wire : null],
    ["same bits at any rank count", at.same_bits_at_any_rank_count === undefined ? null : at.same_bits_at_any_rank_count ? "yes" : "no"],
    ["training samples", at.training_samples], ["validation samples", at.validation_samples || null],
    ["test samples", at.test_samples],
    ["inputs", at.inputs], ["outputs", at.outputs], ["parameters", at.parameters],
    ["checkpoint", at.checkpoint ? element("span", { class: "mono" }, at.checkpoint) : null],
    ["saving", isNumber(at.checkpoint_seconds) ? `${secondsText(at.checkpoint_seconds)}, of which training stood still for ${secondsText(at.checkpoint_stall_seconds)}` : null],
    ["waited for other hosts", at.nodes > 1 ? secondsText(at.communication_seconds) : null],
  ])));
  if (!machine) return;
  place.append(element("div", {}, element("h3", {}, "Machine"), pairsTable([
    ["BLAS kernel", machine.blas_kernel], ["BLAS threads a rank", machine.blas_threads],
    ["vectors", machine.simd_target], ["software", versions]]),
  element("div", { class: "scroll", tabindex: "0" }, table({
    head: ["host", "ranks", "cores", "processor"], texts: [3],
    rows: (machine.hosts ?? []).map((host) => [host.name, host.ranks, host.cores, host.processor || "not known"]) }))));
}

function drawSlowHosts(place, run) {
  if (!run.slow_hosts || run.slow_hosts.length === 0) return;
  place.append(element("figure", {}, element("h3", {}, "Slow hosts"), element("div", { class: "scroll", tabindex: "0" }, table({
    caption: "Hosts that needed 20 % longer to compute a sample than the median host",
    head: ["host", "rows of times.csv", "at most behind", "first step", "last step"],
    rows: run.slow_hosts.map((host) => [host.host, host.rows, percentText(host.behind), host.first, host.last]) }))));
}
