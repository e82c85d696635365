// The page from top to bottom, and what a click, a key or a pointer does.

function drawHead(place, numbers) {
  const { loss, update } = numbers;
  const when = numbers.step === 0 ? "before the first step" : `after step ${num(numbers.step)}`;
  const tile = (name, value) => element("dl", { class: "tile" }, element("dt", {}, name), element("dd", {}, value));
  place.append(element("header", {}, element("h1", {}, numbers.run),
    element("p", {}, `Backpropagation of sample ${numbers.sample}, ${when}`),
    element("p", { class: "soft mono" }, `${numbers.subject} · ${numbers.data}`)),
  element("div", { class: "tiles" }, tile("cost", num(loss.cost, 4)), tile("weights", num(numbers.num_weights)),
    tile("optimizer", update.optimizer), tile("learning rate", num(update.learning_rate, 4)),
    isNumber(update.gradient_norm) ? tile("norm of the gradient", num(update.gradient_norm, 4)) : ""));
}

function chooserOf(numbers, weights, choose) {
  const groups = numbers.stages.map((stage, s) => element("optgroup", { label: stage.name },
    [...weights.values()].filter((weight) => weight.stage === s).map((weight) => element("option", { value: weight.key }, weight.name))));
  const select = element("select", { id: "chosen" }, element("option", { value: "" }, "no weight"), groups.filter((group) => group.children.length > 0));
  select.addEventListener("change", () => choose(select.value || null));
  return element("label", { class: "choices" }, "Follow", select);
}

/** Brings what is chosen into sight where the drawing is wider than the screen. */
function scrollTo(box, node) {
  if (!node || box.scrollWidth <= box.clientWidth) return;
  const [inside, outside] = [node.getBoundingClientRect(), box.getBoundingClientRect()];
  box.scrollLeft += inside.left + inside.width / 2 - outside.left - outside.width / 2;
}

function drawPage() {
  const numbers = JSON.parse(document.getElementById("numbers").textContent);
  const drawing = document.querySelector("svg.net");
  const box = document.querySelector(".drawing");
  const pointed = document.getElementById("pointed");
  const weights = weightsOf(numbers);
  const tell = (weight) => `${weight.name}: w = ${num(weight.w)}, dC/dw = ${num(weight.dC_dw)}, after one step w = ${num(weight.after)}`;

  const choose = (key) => {
    const weight = weights.get(key) ?? null;
    const chain = weight && chainOf(numbers, weight);
    markDrawing(drawing, marksOf(numbers, chain));
    drawChain(document.getElementById("chain"), numbers, chain && { ...chain, weight: { ...weight, ...chain.weight } });
    document.getElementById("chosen").value = weight?.key ?? "";
    for (const button of document.querySelectorAll("[data-pick]")) {
      const on = button.dataset.pick === weight?.key;
      button.setAttribute("aria-pressed", on);
      button.closest("tr").classList.toggle("chosen", on);
    }
    const drawn = weight && drawing.querySelector(`[data-label="${weight.key}"], .row[data-edge="${weight.key}"]`);
    scrollTo(box, drawn);
    pointed.textContent = weight ? tell(weight) + (drawn ? "" : " (not in the drawing)") : "";
  };

  drawHead(document.getElementById("head"), numbers);
  document.getElementById("tools").append(chooserOf(numbers, weights, choose));
  const parts = document.getElementById("parts");
  for (const [title, draw] of [["Forward", drawForward], ["The cost", drawCost], ["Backward", drawBackward], ["The step", drawStep]]) {
    const place = element("div", { class: "part" });
    parts.append(element("section", { id: title.toLowerCase().replaceAll(" ", "-") }, element("h2", {}, title), place));
    draw(place, numbers);
  }
  parts.append(element("footer", { class: "soft" }, element("p", {}, `Drawn by lockstep ${numbers.version}.`)));

  const keyOf = (event) => event.target.closest?.("[data-edge]")?.dataset.edge;
  drawing.addEventListener("click", (event) => choose(weights.has(keyOf(event)) ? keyOf(event) : null));
  drawing.addEventListener("keydown", (event) => {
    if ((event.key !== "Enter" && event.key !== " ") || !weights.has(keyOf(event))) return;
    event.preventDefault();
    choose(keyOf(event));
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") choose(null); });
  parts.addEventListener("click", (event) => {
    const key = event.target.closest("[data-pick]")?.dataset.pick;
    if (key !== undefined) choose(key);
  });
  const point = (key) => {
    for (const hot of drawing.querySelectorAll(".hot")) hot.classList.remove("hot");
    const weight = weights.get(key);
    if (!weight) return;
    for (const node of drawing.querySelectorAll(`[data-edge="${key}"], [data-label="${key}"]`)) node.classList.add("hot");
    pointed.textContent = tell(weight);
  };
  for (const kind of ["pointerover", "focusin"]) drawing.addEventListener(kind, (event) => point(keyOf(event)));
  drawing.addEventListener("pointerleave", () => point(null));
  choose(numbers.chain ? marksOf(numbers, numbers.chain).picked : null);
}

drawPage();
