// Numbers and formulas as textbooks set them.

/** Seven digits, as the command tells them, with a real minus; what begins with many zeros with an exponent. */
function num(value, digits = 7) {
  if (!isNumber(value)) return "–";
  const rounded = Number(value.toPrecision(digits));
  const small = rounded !== 0 && Math.abs(rounded) < 1e-4;
  return (small ? rounded.toExponential() : String(rounded)).replaceAll("-", "−");
}

/** A number as a factor or a term: what is negative, in parentheses. */
const term = (value, digits) => (value < 0 ? `(${num(value, digits)})` : num(value, digits));

const italic = (text) => element("i", {}, text);
const sub = (text) => element("sub", {}, text);

/** "dC/dz" as a fraction; `above` and `below` are what stands behind C and z. */
function fraction(above, below) {
  return element("span", { class: "fraction" }, element("span", {}, above), element("span", { class: "over" }, "/"), element("span", {}, below));
}

const FORMULA = /d([A-Za-z])(?:\[([^\]]*)\])?\/d([A-Za-z])(?:\[([^\]]*)\])?|([A-Za-zΣ])\[([^\]]*)\]|\^(\d+)|([A-Za-z]+)|([-*])/g;

/** A formula of the command, "dC/da = 2 (a - t) / n", as nodes: fractions, indices, letters in italics. */
function math(text) {
  const nodes = [];
  const index = (name) => (name === undefined ? [] : [sub(name.replaceAll(",", " "))]);
  let end = 0;
  for (const found of text.matchAll(FORMULA)) {
    nodes.push(text.slice(end, found.index));
    end = found.index + found[0].length;
    const [, above, aboveIndex, below, belowIndex, letter, letterIndex, power, word, sign] = found;
    if (above !== undefined) {
      nodes.push(fraction(["d", italic(above), ...index(aboveIndex)], ["d", italic(below), ...index(belowIndex)]));
    } else if (letter !== undefined) {
      nodes.push(letter === "Σ" ? element("span", { class: "sigma" }, letter) : italic(letter), ...index(letterIndex));
    } else if (power !== undefined) {
      nodes.push(element("sup", {}, power));
    } else if (word !== undefined) {
      nodes.push(word.length === 1 ? italic(word) : word);
    } else {
      nodes.push(sign === "-" ? "−" : "·");
    }
  }
  nodes.push(text.slice(end));
  return nodes;
}

/** Formulas side by side. */
const formulas = (...texts) => element("p", { class: "formulas" }, texts.filter(Boolean).map((text) => element("span", {}, math(text))));

/** A line of arithmetic: "z_0 = 0.8 · 1.5 + 0.1 = 1.3". */
const sum = (left, terms, value) => element("li", {}, math(left), " = ", terms.join(" + "), " = ", element("b", {}, num(value)));
