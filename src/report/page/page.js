// The page from top to bottom. A part that cannot be drawn says so in its place and leaves the others alone.

function attempt(place, what, draw) {
  try {
    draw();
  } catch (error) {
    place.append(element("p", { class: "bad problem" }, `${what} cannot be drawn: ${error.message}`));
  }
}

function section(page, title, kind = "charts") {
  const place = element("div", { class: kind });
  page.append(element("section", {}, title ? element("h2", {}, title) : null, place));
  return place;
}

/** What is shown of one run alone. */
function drawRun(page, run) {
  const answers = section(page, "Answers");
  attempt(answers, "The answers", () => drawAnswers(answers, run));
  attempt(answers, "What matters", () => drawImportance(answers, run));
  const time = section(page, "Time");
  attempt(time, "The times of steps", () => drawTimes(time, run));
  attempt(time, "The times of ranks", () => drawRanks(time, run));
  attempt(time, "Slow hosts", () => drawSlowHosts(time, run));
  const machine = section(page, "Job and machine", "columns");
  attempt(machine, "The machine", () => drawMachine(machine, run));
  const resolved = section(page, "The resolved run", "");
  resolved.append(element("pre", { class: "mono", tabindex: "0" }, run.run));
  if (run.notes.length > 0) section(page, "Notes", "").append(...run.notes.map((note) => element("p", {}, note)));
}

function drawPage() {
  const page = document.getElementById("page");
  page.replaceChildren();
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  const { runs, version } = JSON.parse(document.getElementById("numbers").textContent);
  document.title = `${runs.map((run) => run.name).join(", ")} – lockstep`;
  const one = runs.length === 1;
  attempt(page, "The overview", () => (one ? drawHead(page, runs[0]) : drawComparison(page, runs)));
  const learning = section(page, "Learning");
  attempt(learning, "Loss and scores", () => drawScores(learning, runs));
  attempt(learning, "Learning rate and gradient", () => drawLearning(learning, runs));
  const speed = section(page, "Speed");
  attempt(speed, "The speed", () => drawSpeed(speed, runs));
  if (one) {
    drawRun(page, runs[0]);
  } else {
    attempt(speed, "The times of the runs", () => drawPartsOfRuns(speed, runs));
    const differences = section(page, "What differs", "");
    attempt(differences, "The differences", () => drawDifferences(differences, runs));
    const inside = element("div");  // on the page before anything is drawn into it
    const heading = element("section", {}, element("h2", {}, "One run"));
    page.append(heading, inside);
    heading.append(chooser("Run", runs.map((run) => run.label), (i) => {
      clear(inside);
      drawRun(inside, runs[i]);
    }));
  }
  page.append(element("footer", { class: "soft" }, element("p", {}, `Drawn by lockstep ${version} from the files of the run folder${one ? "" : "s"}.`)));
  followColourScheme();
}

drawPage();
