#include "explain/text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "core/number_text.hpp"
#include "core/visible_text.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kWidth = 80;

std::string digits(double value) {
  return fmt::format("{:.7g}", value == 0 ? 0 : value);  // no -0
}

// A name and a number in `width` columns; where they have no room side by side, below each other, `indent` blanks in.
std::string pair(const std::string& name, const std::string& cell, std::size_t width, std::size_t indent) {
  if (name.size() + 1 + cell.size() <= width) return name + fmt::format("{:>{}}", cell, width - name.size());
  return name + "\n" + std::string(indent, ' ') + fmt::format("{:>{}}", cell, width);
}

// A row of a table: a left-aligned name, right-aligned numbers.
std::string row(const std::string& name, const std::vector<std::string>& cells) {
  std::string text = "  " + pair(name, cells.front(), 28, 2);
  for (const std::string& cell : std::span(cells).subspan(1)) text += fmt::format("{:>14}", cell);
  return text + "\n";
}

// One of the step's table: the fourth cell is short.
std::string step_row(const std::string& name, const std::array<std::string, 5>& cells) {
  return fmt::format("  {}{:>14}{:>14}{:>9}{:>14}\n", pair(name, cells[0], 27, 2), cells[1], cells[2], cells[3],
                     cells[4]);
}

// Texts side by side while they fit, `indent` blanks in front of each line.
std::string side_by_side(const std::vector<std::string>& texts, std::size_t indent) {
  std::string lines;
  std::string line;
  for (const std::string& text : texts) {
    if (!line.empty() && indent + line.size() + 4 + text.size() > kWidth) {
      lines += std::string(indent, ' ') + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : "    ") + text;
  }
  return line.empty() ? lines : lines + std::string(indent, ' ') + line + "\n";
}

std::string heading(const std::string& title) {
  return fmt::format("\n{}\n{}\n", title, std::string(title.size(), '='));
}

std::string stage_title(const Stage& stage) {
  return fmt::format("\n{}: {} in, {} out\n", stage.name(), stage.x.size(), stage.a.size());
}

bool shows_all(const std::vector<std::size_t>& shown, const std::vector<double>& of) {
  return shown.size() == of.size();
}

double norm(const std::vector<double>& values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

std::string only_largest(const Explanation& e, std::size_t shown, std::size_t all, const char* what) {
  return shown == all ? "" : fmt::format("  ({} of {} {}{})\n", shown, all, what, e.chain ? ", and of the chain" : "");
}

// A sum as people write it: "0.8 * 1.5 - 0.1 * (-2)".
class Sum {
 public:
  void add(double factor, std::optional<double> by) {
    const std::string size = digits(std::abs(factor));
    std::string term = by ? fmt::format("{} * {}", size, *by < 0 ? "(" + digits(*by) + ")" : digits(*by)) : size;
    if (terms_.empty()) {
      terms_.push_back((factor < 0 ? "-" : "") + std::move(term));
    } else {
      terms_.push_back((factor < 0 ? "- " : "+ ") + std::move(term));
    }
  }

  // "  z[0] = ... = 1.3", in lines of a terminal.
  [[nodiscard]] std::string text(const std::string& name, double value) const {
    std::vector<std::string> words = terms_;
    words.push_back("= " + digits(value));
    std::string lines = fmt::format("  {} =", name);
    std::size_t column = lines.size();
    const std::string indent(column, ' ');
    for (const std::string& word : words) {
      if (column > indent.size() && column + 1 + word.size() > kWidth) {
        lines += "\n" + indent;
        column = indent.size();
      }
      lines += " " + word;
      column += 1 + word.size();
    }
    return lines + "\n";
  }

 private:
  std::vector<std::string> terms_;
};

// Whether `sums` sums of `terms` terms are written out.
bool is_short(std::size_t sums, std::size_t terms) {
  constexpr std::size_t kMostTerms = 9;
  constexpr std::size_t kMostInAll = 64;
  return terms <= kMostTerms && sums * terms <= kMostInAll;
}

// What each z is the sum of, where that is short.
std::string products(const Stage& stage) {
  std::string text;
  if (!stage.has_weights || !is_short(stage.shown_units.size(), stage.x.size() + 1) ||
      !shows_all(stage.shown_inputs, stage.x)) {
    return text;
  }
  for (const std::size_t unit : stage.shown_units) {
    Sum sum;
    for (const ExplainedWeight& weight : stage.edges) {
      if (weight.unit != unit) continue;
      sum.add(weight.value, weight.input ? std::optional(stage.x[*weight.input]) : std::nullopt);
    }
    text += sum.text(fmt::format("z[{}]", unit), stage.z[unit]);
  }
  return text;
}

std::string forward_text(const Explanation& e) {
  std::string text = heading("Forward: from the sample to the cost");
  const Stage& first = e.stages.front();
  std::vector<std::string> inputs;
  for (const std::size_t i : first.shown_inputs) inputs.push_back(fmt::format("x[{}] = {}", i, digits(first.x[i])));
  text += "\n" + side_by_side(inputs, 2);
  text += only_largest(e, first.shown_inputs.size(), first.x.size(), "inputs, the largest");
  for (const Stage& stage : e.stages) {
    text += stage_title(stage);
    for (const ExplainedLayer& layer : stage.layers) {
      const bool product = stage.has_weights && &layer == &stage.layers.front();
      std::vector<std::string> formulas{layer.formula.value};
      if (!product) formulas.push_back(layer.formula.slope);
      if (product && stage.layers.size() == 1) formulas.emplace_back("a = z");
      text += side_by_side(formulas, 2);
    }
    text += products(stage);
    const bool activated = stage.layers.size() > (stage.has_weights ? 1 : 0);
    text += activated ? row("unit", {"z", "a", "da/dz"}) : row("unit", {"z"});
    for (const std::size_t unit : stage.shown_units) {
      std::vector<std::string> cells{digits(stage.z[unit])};
      if (activated) cells.insert(cells.end(), {digits(stage.a[unit]), digits(stage.slopes[unit])});
      text += row(fmt::format("{}", unit), cells);
    }
    if (!shows_all(stage.shown_units, stage.a)) {
      text += only_largest(e, stage.shown_units.size(), stage.a.size(), "units, those of the largest errors");
      text += fmt::format("  norms: z {}, a {}\n", digits(norm(stage.z)), digits(norm(stage.a)));
    }
  }
  return text;
}

std::string class_name(const Explanation& e, std::size_t label) {
  const std::string text = fmt::format("{}", label);
  if (label >= e.class_names.size() || e.class_names[label] == text) return text;
  return fmt::format("{} ({})", text, visible(e.class_names[label]));
}

std::string cost_text(const Explanation& e) {
  std::string text = fmt::format("\nThe cost: {}\n", e.loss_type);
  text += side_by_side({e.loss_formula.value, e.loss_formula.slope}, 2);
  const std::vector<std::size_t>& shown = e.stages.back().shown_units;
  if (e.has_label) {
    text += fmt::format("  t = {}\n", class_name(e, static_cast<std::size_t>(e.target.label)));
    text += row("output", {"a", "dC/da"});
  } else {
    text += row("output", {"a", "t", "dC/da"});
  }
  for (const std::size_t i : shown) {
    std::vector<std::string> cells{digits(e.outputs[i]), digits(e.loss_slopes[i])};
    if (!e.has_label)
      cells.insert(cells.begin() + 1, std::isnan(e.target.values[i]) ? "missing" : digits(e.target.values[i]));
    text += row(fmt::format("{}", i), cells);
  }
  text += only_largest(e, shown.size(), e.outputs.size(), "outputs, those of the largest errors");
  return text + fmt::format("  C = {}\n", digits(e.cost));
}

// What the errors of the next stage give for a unit: "dC/da[0] = 0.07 * 0.8 + ...".
std::string error_sums(const Explanation& e, std::size_t index) {
  std::string text;
  if (index + 1 == e.stages.size() || e.stages[index].da.empty()) return text;
  const Stage& behind = e.stages[index + 1];
  const std::vector<std::size_t>& units = e.stages[index].shown_units;
  if (!is_short(units.size(), behind.a.size()) || !shows_all(behind.shown_units, behind.a)) return text;
  for (const std::size_t unit : units) {
    Sum sum;
    for (const ExplainedWeight& weight : behind.edges) {
      if (weight.input == unit) sum.add(behind.dz[weight.unit], weight.value);
    }
    text += sum.text(fmt::format("dC/da[{}]", unit), e.stages[index].da[unit]);
  }
  return text;
}

std::string errors_text(const Explanation& e, std::size_t index) {
  const Stage& stage = e.stages[index];
  std::string text = error_sums(e, index);
  if (stage.layers.size() == 1) {  // no activation: dC/dz is dC/da
    text += row("unit", {"dC/dz"});
    for (const std::size_t unit : stage.shown_units) text += row(fmt::format("{}", unit), {digits(stage.dz[unit])});
  } else {
    text += row("unit", {"dC/da *", "da/dz =", "dC/dz"});
    for (const std::size_t unit : stage.shown_units) {
      text +=
          row(fmt::format("{}", unit), {digits(stage.da[unit]), digits(stage.slopes[unit]), digits(stage.dz[unit])});
    }
  }
  if (!shows_all(stage.shown_units, stage.a)) {
    text += only_largest(e, stage.shown_units.size(), stage.a.size(), "units, those of the largest errors");
    text += fmt::format("  norm of dC/dz {}\n", digits(norm(stage.dz)));
  }
  return text;
}

std::string gradients_text(const Explanation& e, const Stage& stage) {
  const bool activated = stage.layers.size() > 1;
  std::string text = activated ? row("weight", {"dC/da *", "da/dz *", "dz/dw =", "dC/dw"})
                               : row("weight", {"dC/dz *", "dz/dw =", "dC/dw"});
  for (const ExplainedWeight& weight : stage.weights) {
    std::vector<std::string> cells{digits(weight.of_unit), digits(weight.of_weight), digits(weight.gradient)};
    if (activated) cells.insert(cells.begin() + 1, digits(weight.of_activation));
    text += row(weight.name, cells);
  }
  if (stage.weights.size() != stage.num_weights) {
    text += only_largest(e, stage.weights.size(), stage.num_weights, "weights, those of the largest gradients");
    text += fmt::format("  norm of dC/dw {}, of w {}\n", digits(stage.gradient_norm), digits(stage.weight_norm));
  }
  return text;
}

std::string backward_text(const Explanation& e) {
  std::string text = heading("Backward: the chain rule, from the cost to the first layer");
  for (std::size_t index = e.stages.size(); index-- > 0;) {
    const Stage& stage = e.stages[index];
    if (!stage.has_weights) continue;
    text += stage_title(stage);
    if (stage.dz.empty()) {
      text += "  frozen, as all before it: nothing is passed back to here\n";
      continue;
    }
    text += errors_text(e, index);
    text += stage.is_trained ? gradients_text(e, stage) : "  frozen: no gradient of its own\n";
  }
  return text;
}

std::string step_text(const Explanation& e) {
  std::string text = heading("One step on this sample alone");
  text += fmt::format("\n{}, learning rate {}", e.optimizer, digits(e.learning_rate));
  if (e.gradient_norm) text += fmt::format(", norm of the gradient {}", digits(*e.gradient_norm));
  if (e.clip < 1) text += fmt::format(", clipped by {}", digits(e.clip));
  text += "\n" + step_row("weight", {"w", "dC/dw", "central diff", "off by", "w after"});
  bool kinks = false;
  for (const Stage& stage : e.stages) {
    if (!stage.is_trained) continue;
    for (const ExplainedWeight& weight : stage.weights) {
      const bool kink = weight.central.at_kink;
      kinks = kinks || kink;
      text += step_row(weight.name,
                       {digits(weight.value), digits(weight.gradient), kink ? "kink" : digits(weight.central.value),
                        kink ? "" : fmt::format("{:.1e}", weight.relative_difference()), digits(weight.after)});
    }
  }
  text += fmt::format("  (w after: {})\n", e.update_rule);
  text +=
      "  (central diff: the cost with the weight a little larger, less that with it a\n"
      "  little smaller, over the difference of the two; in double precision)\n";
  if (kinks) text += "  (kink: the cost has no derivative there that a difference could show)\n";
  return text;
}

// Where a factor that all paths have is 0.
std::string why_nothing(const Explanation& e) {
  const ExplainedWeight& weight = e.chain->weight;
  const Stage& stage = e.stages[e.chain->stage];
  if (weight.of_activation == 0) {
    return fmt::format("  da/dz = 0 at {}[{}]: nothing is passed back through it\n", stage.layers.back().name,
                       weight.unit);
  }
  if (weight.of_weight == 0) return fmt::format("  dz/dw = 0: what {} is multiplied by is 0\n", weight.name);
  return "";
}

std::string chain_text(const Explanation& e) {
  const Chain& chain = *e.chain;
  std::string text = heading(fmt::format("The chain of {} = {}", chain.weight.name, digits(chain.weight.value)));
  const std::string nothing = why_nothing(e);
  text += nothing.empty() ? "" : "\n" + nothing;
  for (std::size_t i = 0; nothing.empty() && i < chain.paths.size(); ++i) {
    const ChainPath& path = chain.paths[i];
    text += chain.num_paths > 1 ? fmt::format("\npath {} of {:.0f}\n", i + 1, chain.num_paths) : "\n";
    for (const ChainFactor& factor : path.factors) {
      text += fmt::format("  {} {:<7}{}\n", &factor == &path.factors.front() ? " " : "*", factor.what,
                          pair(factor.where, digits(factor.value), 39, 11));
    }
    text += fmt::format("  = {:<31}{:>15}\n", "", digits(path.product()));
  }
  if (nothing.empty() && chain.num_paths > static_cast<double>(chain.paths.size())) {
    text += fmt::format("\n  {:<33}{:>15}\n", "all other paths", digits(chain.others));
  }
  text += fmt::format("\n  {:<33}{:>15}\n", "dC/dw", digits(chain.weight.gradient));
  if (!chain.weight.central.at_kink) {
    text += fmt::format("  {:<33}{:>15}\n", "central difference", digits(chain.weight.central.value));
  }
  return text + fmt::format("  {:<33}{:>15}\n", "w after one step", digits(chain.weight.after));
}

}  // namespace

std::string explanation_text(const Explanation& e) {
  std::string text = fmt::format("{}, {}: sample {} of {}\n", visible(e.subject),
                                 e.step == 0 ? "before the first step" : fmt::format("after step {}", e.step), e.sample,
                                 visible(e.data));
  text += forward_text(e) + cost_text(e) + backward_text(e) + step_text(e);
  if (e.chain) text += chain_text(e);
  return text;
}

}  // namespace lockstep
