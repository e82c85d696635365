#include "explain/network_svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/number_text.hpp"
#include "explain/network_chain.hpp"
#include "explain/network_layout.hpp"
#include "report/page_file.hpp"
#include "report/page_parts.hpp"

namespace lockstep {
namespace {

using namespace drawing;

constexpr double kTitle = 34;         // height of a file's title
constexpr std::size_t kHeading = 36;  // letters above a column

std::string with_minus(std::string text) {
  for (std::size_t at = text.find('-'); at != std::string::npos; at = text.find('-', at + 1)) {
    text.replace(at, 1, "\u2212");
  }
  return text;
}

// Four digits, with a real minus.
std::string number(double value) {
  return with_minus(fmt::format("{:.4g}", value == 0 ? 0 : value));
}

// The beginning of a text that is too long, cut between letters.
std::string shortened(const std::string& text, std::size_t most) {
  std::size_t letters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80 && ++letters > most) return text.substr(0, i) + "\u2026";
  }
  return text;
}

std::string text_at(double x, double y, std::string_view kind, const std::string& markup) {
  return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", kind, x, y, markup);
}

std::string indexed(std::string_view name, std::size_t index) {
  return fmt::format("{}<tspan class=\"index\" dy=\"3\">{}</tspan>", name, index);
}

// What tells a number: its name in front, in another kind of letters.
std::string named(std::string_view name, double value) {
  return fmt::format("<tspan class=\"name\">{}</tspan> {}", name, number(value));
}

class Drawing {
 public:
  Drawing(const Explanation& e, bool in_page)
      : e_(e), in_page_(in_page), net_(lay_out_network(e)), marks_(chain_marks(e)) {}

  [[nodiscard]] const NetworkLayout& layout() const { return net_; }

  // Groups of elements: what is drawn first lies below.
  std::string draw() {
    for (std::size_t stage = 0; stage < net_.wires.size(); ++stage) {
      for (const Wire& wire : net_.wires[stage].wires) draw_wire(stage, net_.wires[stage], wire);
    }
    for (std::size_t c = 0; c < net_.columns.size(); ++c) {
      draw_heading(c);
      for (const Card& card : net_.columns[c].cards) draw_card(c, card);
    }
    return fmt::format("<g class=\"wires\">\n{}</g>\n<g class=\"cards\">\n{}</g>\n<g class=\"labels\">\n{}</g>\n",
                       wires_, cards_, labels_);
  }

  [[nodiscard]] std::string classes() const {
    return fmt::format("net{}{}", net_.shows_numbers ? " numbers" : "", marks_.picked.empty() ? "" : " chosen");
  }

 private:
  [[nodiscard]] bool is_cost(std::size_t stage) const { return stage == e_.stages.size(); }

  void draw_wire(std::size_t stage, const Wires& wires, const Wire& wire) {
    const std::string key = is_cost(stage) ? cost_key(wire.input) : edge_key(stage, wire.unit, wire.input);
    const bool picked = key == marks_.picked;
    const bool on = picked || marks_.edges.contains(key);
    // Edges with room for numbers run level below them.
    const double level = wires.has_room ? kLabel : 0;
    const double from = wires.at_target ? wire.x1 : wire.x1 + level;
    const double to = wires.at_target ? wire.x2 - level : wire.x2;
    const double bend = (from + to) / 2;
    const std::string path = fmt::format("M{:.1f} {:.1f}H{:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}H{:.1f}",
                                         wire.x1, wire.y1, from, bend, wire.y1, bend, wire.y2, to, wire.y2, wire.x2);
    std::string kind = "edge plain";
    double thickness = 1.3;
    std::string told;
    if (wire.weight != nullptr) {
      kind = wire.weight->value < 0 ? "edge minus" : "edge plus";
      if (wires.largest > 0) thickness = 1.1 + 3.2 * std::abs(wire.weight->value) / wires.largest;
      if (in_page_ && e_.stages[stage].is_trained) told = reachable(*wire.weight);
    }
    wires_ +=
        fmt::format("<g class=\"{}{}{}\" data-edge=\"{}\"{}><path class=\"wire\" stroke-width=\"{:.2f}\" d=\"{}\"/>",
                    kind, on ? " on" : "", picked ? " picked" : "", key, told, thickness, path);
    if (!told.empty()) wires_ += fmt::format("<path class=\"touch\" d=\"{}\"/>", path);
    wires_ += "</g>\n";
    const bool visible = net_.shows_numbers || on || is_cost(stage);
    if ((wire.weight == nullptr && !is_cost(stage)) || !(in_page_ || visible)) return;
    const double x = wires.at_target ? wire.x2 - kLabel / 2 : wire.x1 + kLabel / 2;
    draw_label(stage, wire, key, {x, wires.at_target ? wire.y2 : wire.y1}, on, picked);
  }

  // What makes an edge a button of the page.
  [[nodiscard]] std::string reachable(const ExplainedWeight& weight) const {
    return fmt::format(" role=\"button\" aria-label=\"weight {}, {}\"{}", markup_text(weight.name),
                       number(weight.value), net_.shows_numbers ? " tabindex=\"0\"" : "");
  }

  struct Place {
    double x = 0, y = 0;
  };
  void draw_label(std::size_t stage, const Wire& wire, const std::string& key, Place at, bool on, bool picked) {
    labels_ += fmt::format("<g class=\"label{}{}\" data-label=\"{}\">", on ? " on" : "", picked ? " picked" : "", key);
    const auto mark = [&](const char* kind, double y) {
      labels_ += fmt::format("<rect class=\"mark {}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"16\" rx=\"4\"/>",
                             kind, at.x - kLabel / 2 + 4, y, kLabel - 8);
    };
    if (is_cost(stage)) {
      if (!e_.stages.back().da.empty() || !e_.loss_slopes.empty()) {
        mark("factor", at.y - 18);
        labels_ += text_at(at.x, at.y - 5.5, "back", named("dC/da", e_.loss_slopes[wire.input]));
      }
    } else {
      // The weight; on a chain it is the factor dz/da.
      mark("factor", at.y - 18);
      labels_ += text_at(at.x, at.y - 5.5, "w", named("w", wire.weight->value));
      if (in_page_ || (on && !picked))
        labels_ += text_at(at.x, at.y - 5.5, "factor", named("dz/da", wire.weight->value));
      if (e_.stages[stage].is_trained) {
        mark("result", at.y + 2);
        labels_ += text_at(at.x, at.y + 14.5, "back", named("dC/dw", wire.weight->gradient));
      }
    }
    labels_ += "</g>\n";
  }

  void draw_heading(std::size_t c) {
    const Column& column = net_.columns[c];
    const double x = column.x + column.width / 2;
    std::vector<std::pair<const char*, std::string>> lines;
    if (c == 0) {
      const std::size_t all = e_.stages.front().x.size();
      lines = {{"head", "inputs"}, {"soft", count_of(column.cards.size(), all, "input")}};
    } else if (is_cost(c - 1)) {
      lines = {{"head", "cost"}, {"soft small", shortened(e_.loss_type, 24)}};
    } else {
      const Stage& stage = e_.stages[c - 1];
      lines = {{"head", shortened(stage.name(), kHeading)},
               {"soft", count_of(column.cards.size(), stage.a.size(), "unit")}};
      for (const ExplainedLayer& layer : stage.layers) {
        if (stage.layers.size() <= 2 && layer.formula.value.size() <= kHeading) {
          lines.emplace_back("soft small", with_minus(layer.formula.value));
        }
      }
    }
    double y = 14;
    for (const auto& [kind, line] : lines) {
      cards_ += text_at(x, y, fmt::format("middle {}", kind), markup_text(line)) + "\n";
      y += 15;
    }
  }

  static std::string count_of(std::size_t shown, std::size_t all, const char* what) {
    return shown == all ? count_text(all, what) : fmt::format("{} of {}", shown, count_text(all, what));
  }

  void draw_card(std::size_t c, const Card& card) {
    const Column& column = net_.columns[c];
    const bool cost = is_cost(c - 1), input = c == 0;
    std::string key = "cost";
    if (!cost) key = source_key(c, card.unit);
    const bool on = marks_.units.contains(key);
    const bool is_label =
        c == e_.stages.size() && e_.has_label && card.unit == static_cast<std::size_t>(e_.target.label);
    cards_ += fmt::format("<g class=\"card{}{}{}{}\" data-unit=\"{}\">", input ? " input" : "", cost ? " cost" : "",
                          on ? " on" : "", is_label ? " label-class" : "", key);
    cards_ += fmt::format("<rect class=\"box\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{:.1f}\" rx=\"8\"/>",
                          column.x, card.y, column.width, card.height);
    double y = card.middle() - kRow * static_cast<double>(card.rows.size()) / 2;
    for (const CardRow& row : card.rows) {
      draw_row(c, card, row, key, y);
      y += kRow;
    }
    draw_chip(c, card, key);
    cards_ += "</g>\n";
  }

  void draw_row(std::size_t c, const Card& card, const CardRow& row, const std::string& key, double y) {
    const Column& column = net_.columns[c];
    const bool cost = is_cost(c - 1);
    std::string kind, name;
    bool lit = false;
    switch (row.kind) {
      case CardRow::Kind::title:
        cards_ += text_at(column.x + column.width / 2, y + 12, "middle title",
                          markup_text(shortened(row.text, row.value != 0 ? 9 : 13)) +
                              (row.value != 0 ? " = <tspan class=\"name\">t</tspan>" : ""));
        return;
      case CardRow::Kind::bias:
        kind = "bias";
        name = indexed("b", card.unit);
        lit = key == marks_.picked;
        break;
      case CardRow::Kind::z:
        kind = c == 0 ? "x" : cost ? "C" : "z";
        name = cost ? "C" : indexed(kind, card.unit);
        break;
      case CardRow::Kind::a:
        kind = "a";
        name = indexed("a", card.unit);
        break;
      case CardRow::Kind::slope:
        kind = "slope";
        name = "da/dz";
        lit = marks_.slopes.contains(key);
        break;
      case CardRow::Kind::error:
        kind = "error back";
        name = "dC/dz";
        lit = marks_.errors.contains(key);
        break;
      case CardRow::Kind::target:
        kind = "target";
        name = cost ? "t" : indexed("t", card.unit);
        break;
    }
    std::string told;
    if (in_page_ && row.kind == CardRow::Kind::bias && e_.stages[c - 1].is_trained) {
      told = fmt::format(" data-edge=\"{}\"", key) +
             reachable(*std::ranges::find_if(e_.stages[c - 1].edges, [&](const ExplainedWeight& weight) {
               return !weight.input && weight.unit == card.unit;
             }));
    }
    cards_ += fmt::format("<g class=\"row {}{}\"{}>", kind, lit ? " lit" : "", told);
    cards_ += fmt::format("<rect class=\"mark\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"16\" rx=\"4\"/>",
                          column.x + 4, y, column.width - 8);
    cards_ += text_at(column.x + 9, y + 12.5, "name", name);
    cards_ += text_at(column.x + column.width - 9, y + 12.5, "value", number(row.value)) + "</g>";
  }

  // The last factor of a chain that begins here, on the lower edge of the card.
  void draw_chip(std::size_t c, const Card& card, const std::string& key) {
    const Column& column = net_.columns[c];
    if (is_cost(c - 1)) return;
    const bool of_bias = key == marks_.picked;
    const auto draw = [&](const char* kind, const char* name, double value, bool on) {
      if (!on && !in_page_) return;
      const double width = 104, x = column.x + column.width / 2, y = card.y + card.height - 3;
      cards_ += fmt::format(
          "<g class=\"chip {}{}\"><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"18\" rx=\"9\"/>{}</g>", kind,
          on ? " lit" : "", x - width / 2, y, width, text_at(x, y + 13, "middle", named(name, value)));
    };
    const double out = c == 0 ? e_.stages.front().x[card.unit] : e_.stages[c - 1].a[card.unit];
    draw("of-weight", "dz/dw", out, key == marks_.source && !of_bias);
    if (c > 0 && card.rows.front().kind == CardRow::Kind::bias) draw("of-bias", "dz/db", 1, of_bias);
  }

  const Explanation& e_;
  bool in_page_;
  NetworkLayout net_;
  ChainMarks marks_;
  std::string wires_, cards_, labels_;
};

// "dC/dw of dense1[0,0] = 0.298 · 0.2278 ... = 0.01449", or the sum of such products.
std::vector<std::string> chain_lines(const Chain& chain) {
  constexpr std::size_t kMostLines = 8;
  std::vector<std::string> lines;
  const auto product = [](const ChainPath& path) {
    std::string text;
    for (const ChainFactor& factor : path.factors) {
      text += fmt::format("{}{} {}", text.empty() ? "" : " \u00b7 ", factor.what, number(factor.value));
    }
    return text + " = " + number(path.product());
  };
  const std::string whole = fmt::format("dC/dw of {} = {}", chain.weight.name, number(chain.weight.gradient));
  if (chain.paths.size() == 1) return {whole, product(chain.paths.front())};
  lines.push_back(fmt::format("{}, the sum over {:.0f} paths", whole, chain.num_paths));
  for (std::size_t i = 0; i < std::min(chain.paths.size(), kMostLines); ++i) lines.push_back(product(chain.paths[i]));
  if (chain.num_paths > static_cast<double>(chain.paths.size())) {
    lines.push_back(fmt::format("all other paths {}", number(chain.others)));
  }
  return lines;
}

std::string legend(double y, bool chain) {
  const auto line = [&](double x, const char* kind, const char* text) {
    return fmt::format(
        "<g class=\"{}\" transform=\"translate({},{})\"><path class=\"wire\" d=\"M0 -4H26\"/>"
        "<text x=\"33\">{}</text></g>",
        kind, x, y, text);
  };
  std::string text = line(kMargin, "plus", "w &gt; 0") + line(kMargin + 90, "minus", "w &lt; 0") +
                     text_at(kMargin + 180, y, "back", "passed back");
  if (chain) {
    text += fmt::format(
        "<g class=\"lit\"><rect class=\"mark\" x=\"{}\" y=\"{}\" width=\"142\" height=\"18\" rx=\"4\"/>{}</g>",
        kMargin + 274, y - 13.5, text_at(kMargin + 282, y, "sum", "a factor of the chain"));
  }
  return text + "\n";
}

}  // namespace

std::string network_drawing(const Explanation& explanation) {
  Drawing drawing(explanation, true);
  const std::string parts = drawing.draw();
  const NetworkLayout& net = drawing.layout();
  // A small net fills a screen, and a large one stays readable on a narrow one.
  const double most = std::clamp(720 / net.height, 1.0, 1.5);
  return fmt::format(
      "<svg class=\"{0}\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {1:.0f} {2:.0f}\" role=\"group\" "
      "aria-label=\"the net\" style=\"--natural:{1:.0f}px;max-width:{3:.0f}px\">\n{4}</svg>",
      drawing.classes(), net.width, net.height, net.width * most, parts);
}

std::string network_svg(const Explanation& e) {
  Drawing drawing(e, false);
  const std::string parts = drawing.draw();
  const NetworkLayout& net = drawing.layout();
  const std::string title = fmt::format("{}: sample {}, {}", e.run, e.sample,
                                        e.step == 0 ? "before the first step" : fmt::format("after step {}", e.step));
  std::string below;
  double y = kTitle + net.height + 8;
  if (e.chain) {
    for (const std::string& line : chain_lines(*e.chain)) {
      below += text_at(kMargin, y, below.empty() ? "head" : "sum", markup_text(line)) + "\n";
      y += 18;
    }
    y += 4;
  }
  below += legend(y, e.chain.has_value());
  const double width = std::max(net.width, 560.0), height = y + 14;
  return fmt::format(
      "<svg class=\"{0}\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {1:.0f} {2:.0f}\" width=\"{1:.0f}\" "
      "height=\"{2:.0f}\" role=\"img\">\n<title>{3}</title>\n<style>\n{4}</style>\n"
      "<rect class=\"paper\" width=\"{1:.0f}\" height=\"{2:.0f}\"/>\n<text class=\"title\" x=\"{5}\" "
      "y=\"22\">{3}</text>\n"
      "<g transform=\"translate(0,{6})\">\n{7}</g>\n{8}</svg>\n",
      drawing.classes(), width, height, markup_text(title), kNetworkStyle, kMargin, kTitle, parts, below);
}

}  // namespace lockstep
