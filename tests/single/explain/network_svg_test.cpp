#include "explain/network_svg.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "explain/network_layout.hpp"
#include "explain/page.hpp"

namespace lockstep {
namespace {

ExplainedWeight make_weight(std::size_t stage, std::size_t unit, std::optional<std::size_t> input, double value) {
  ExplainedWeight weight;
  weight.name =
      input ? fmt::format("dense{}[{},{}]", stage + 1, unit, *input) : fmt::format("dense{}[{}]", stage + 1, unit);
  weight.unit = unit;
  weight.input = input;
  weight.value = value;
  weight.gradient = value / 8;
  return weight;
}

// Layers of these widths, all numbers different; of each at most `most` units are shown.
Explanation make_explanation(const std::vector<std::size_t>& widths, std::size_t most = 16) {
  Explanation e;
  e.run = "net";
  e.loss_type = "mse";
  e.cost = 0.0625;
  for (std::size_t s = 0; s + 1 < widths.size(); ++s) {
    Stage& stage = e.stages.emplace_back();
    const double base = static_cast<double>(s + 1);
    stage.layers = {{fmt::format("dense{}", s + 1), "dense", {"z = W x + b", ""}},
                    {fmt::format("tanh{}", s + 1), "tanh", {"a = tanh(z)", ""}}};
    stage.has_weights = stage.is_trained = true;
    for (std::size_t i = 0; i < widths[s]; ++i) {
      stage.x.push_back(0.5 + static_cast<double>(i));
      if (i < most) stage.shown_inputs.push_back(i);
    }
    for (std::size_t u = 0; u < widths[s + 1]; ++u) {
      const double unit = static_cast<double>(u);
      stage.z.push_back(base * 10 + unit);
      stage.a.push_back(base * 20 + unit);
      stage.slopes.push_back(base * 30 + unit);
      stage.da.push_back(base * 40 + unit);
      stage.dz.push_back(-base * 50 - unit);
      if (u >= most) continue;
      stage.shown_units.push_back(u);
      for (std::size_t i = 0; i < std::min(widths[s], most); ++i) {
        stage.edges.push_back(
            make_weight(s, u, i, (i % 2 == 0 ? 1 : -1) * (base + unit / 8 + static_cast<double>(i) / 64)));
      }
      stage.edges.push_back(make_weight(s, u, std::nullopt, base * 60 + unit));
    }
  }
  e.outputs = e.stages.back().a;
  e.loss_slopes = e.stages.back().da;
  e.target.values.assign(e.outputs.size(), 0.25);
  return e;
}

// The chain of dense1[1,0] of a net 2-2-1.
Chain make_chain_of(const Explanation& e) {
  Chain chain{.stage = 0, .weight = e.stages[0].edges[3], .num_paths = 1, .paths = {}};
  chain.paths.push_back({{{"dC/da", "tanh2[0]", 2, 1, 0},
                          {"da/dz", "tanh2[0]", 3, 1, 0},
                          {"dz/da", "dense2[0,1]", 4, 1, 0, 1},
                          {"da/dz", "tanh1[1]", 5, 0, 1},
                          {"dz/dw", "x[0]", 0.5, 0, 1, 0}}});
  return chain;
}

// Elements begin and end as in XML, attributes are quoted. Returns what is wrong.
std::string check_xml(const std::string& text) {
  std::vector<std::string> open;
  for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at + 1)) {
    const std::size_t end = text.find('>', at);
    if (end == std::string::npos) return "no end of a tag";
    const std::string tag = text.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos || std::ranges::count(tag, '"') % 2 != 0) return "a tag: " + tag;
    const std::string name = tag.substr(tag[0] == '/', tag.find_first_of(" /", 1) - (tag[0] == '/'));
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return "ends without a beginning: " + tag;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "not ended: " + open.back();
}

// The group with this attribute, up to its end.
std::string group(const std::string& svg, const std::string& attribute) {
  const std::size_t found = svg.find(attribute);
  if (found == std::string::npos) return "";
  const std::size_t begin = svg.rfind("<g ", found);
  std::size_t depth = 0;
  for (std::size_t at = begin; at < svg.size(); ++at) {
    if (svg.compare(at, 3, "<g ") == 0) ++depth;
    if (svg.compare(at, 4, "</g>") == 0 && --depth == 0) return svg.substr(begin, at - begin);
  }
  return "";
}

bool is_on(const std::string& svg, const std::string& attribute) {
  const std::string tag = group(svg, attribute);
  return tag.substr(0, tag.find('>')).find(" on") != std::string::npos;
}

std::string number(double value) {
  return (value < 0 ? "\u2212" : "") + fmt::format("{:.4g}", std::abs(value));
}

TEST(NetworkSvg, IsWellFormedAndLoadsNothing) {
  Explanation e = make_explanation({2, 2, 1});
  e.chain = make_chain_of(e);
  for (const std::string& svg : {network_svg(e), network_drawing(e), network_svg(make_explanation({40, 30, 20}, 8))}) {
    EXPECT_EQ(check_xml(svg), "");
    for (const char* word : {"<script", "href", "url(", "@import", "nan", "inf\""}) {
      EXPECT_EQ(svg.find(word), std::string::npos) << word;
    }
  }
}

TEST(NetworkSvg, HoldsEveryNumberOfASmallNet) {
  const Explanation e = make_explanation({2, 2, 1});
  const std::string svg = network_svg(e);
  const auto expect_in = [&](const std::string& attribute, double value) {
    EXPECT_NE(group(svg, attribute).find(">" + number(value) + "<"), std::string::npos) << attribute << " " << value;
  };
  for (std::size_t s = 0; s < 2; ++s) {
    const Stage& stage = e.stages[s];
    for (const std::size_t unit : stage.shown_units) {
      const std::string card = fmt::format("data-unit=\"{}:{}\"", s, unit);
      for (const auto* values : {&stage.z, &stage.a, &stage.slopes, &stage.dz}) expect_in(card, (*values)[unit]);
    }
    for (const ExplainedWeight& weight : stage.edges) {
      if (!weight.input) {
        expect_in(fmt::format("data-unit=\"{}:{}\"", s, weight.unit), weight.value);
        continue;
      }
      const std::string label = group(svg, fmt::format("data-label=\"{}:{},{}\"", s, weight.unit, *weight.input));
      EXPECT_NE(label.find(">w</tspan> " + number(weight.value) + "<"), std::string::npos) << label;
      EXPECT_NE(label.find(">dC/dw</tspan> " + number(weight.gradient) + "<"), std::string::npos) << label;
      const std::string edge = fmt::format("class=\"edge {}\" data-edge=\"{}:{},{}\"",
                                           weight.value < 0 ? "minus" : "plus", s, weight.unit, *weight.input);
      EXPECT_NE(svg.find(edge), std::string::npos) << edge;
    }
  }
  expect_in("data-unit=\"x:1\"", 1.5);
  expect_in("data-unit=\"cost\"", 0.0625);
  EXPECT_NE(group(svg, "data-label=\"cost:0\"").find(number(80)), std::string::npos);
}

TEST(NetworkSvg, HighlightsTheChainAloneWithItsFactors) {
  Explanation e = make_explanation({2, 2, 1});
  EXPECT_EQ(network_svg(e).find("class=\"net numbers chosen\""), std::string::npos);
  e.chain = make_chain_of(e);
  for (const std::string& svg : {network_svg(e), network_drawing(e)}) {
    EXPECT_NE(svg.find("class=\"net numbers chosen\""), std::string::npos);
    for (const char* on : {"data-edge=\"cost:0\"", "data-edge=\"1:0,1\"", "data-edge=\"0:1,0\"", "data-unit=\"cost\"",
                           "data-unit=\"1:0\"", "data-unit=\"0:1\"", "data-unit=\"x:0\""}) {
      EXPECT_TRUE(is_on(svg, on)) << on;
    }
    for (const char* off : {"data-edge=\"1:0,0\"", "data-edge=\"0:1,1\"", "data-edge=\"0:0,0\"", "data-unit=\"0:0\"",
                            "data-unit=\"x:1\""}) {
      EXPECT_FALSE(is_on(svg, off)) << off;
    }
    EXPECT_NE(group(svg, "data-unit=\"0:1\"").find("row slope lit"), std::string::npos);
    EXPECT_NE(group(svg, "data-unit=\"1:0\"").find("row slope lit"), std::string::npos);
    EXPECT_EQ(group(svg, "data-unit=\"0:0\"").find(" lit"), std::string::npos);
    EXPECT_NE(group(svg, "data-label=\"1:0,1\"").find(">dz/da</tspan> "), std::string::npos);
    EXPECT_NE(group(svg, "data-unit=\"x:0\"").find("chip of-weight lit"), std::string::npos);
  }
  EXPECT_NE(network_svg(e).find("dC/da 2 \u00b7 da/dz 3 \u00b7 dz/da 4 \u00b7 da/dz 5 \u00b7 dz/dw 0.5 = 60"),
            std::string::npos);
}

TEST(NetworkSvg, OfALargeNetShowsUnitsAndSaysSo) {
  const Explanation e = make_explanation({40, 30, 20}, 8);
  const std::string svg = network_svg(e);
  EXPECT_NE(svg.find("8 of 40 inputs"), std::string::npos);
  EXPECT_NE(svg.find("8 of 30 units"), std::string::npos);
  EXPECT_EQ(svg.find(">dC/dw<"), std::string::npos);
  EXPECT_NE(network_drawing(e).find(">dC/dw<"), std::string::npos);  // for the pointer
}

TEST(NetworkSvg, NamesAreText) {
  const std::string evil = "</svg><script>alert(1)</script>\"'&\xff";
  Explanation e = make_explanation({2, 2, 2});
  e.run = evil;
  e.loss_type = evil;
  e.stages[0].layers[0].name = evil;
  e.has_label = true;
  e.class_names = {evil, "b"};
  for (const std::string& text : {network_svg(e), network_drawing(e)}) {
    EXPECT_EQ(text.find("<script"), std::string::npos);
    EXPECT_EQ(check_xml(text), "");
    EXPECT_EQ(text.find('\xff'), std::string::npos);
  }
  const std::string page = explanation_page(e);
  EXPECT_EQ(page.find("alert(1)</script"), std::string::npos);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
}

TEST(NetworkLayout, CardsAndNumbersHaveTheirOwnPlaces) {
  for (const auto& widths :
       std::vector<std::vector<std::size_t>>{{1, 1, 1}, {2, 8, 1}, {4, 4, 2}, {6, 4, 16}, {16, 16, 10}}) {
    const Explanation e = make_explanation(widths);
    const NetworkLayout net = lay_out_network(e);
    double right = 0;
    for (const Column& column : net.columns) {
      EXPECT_GE(column.x, right);
      right = column.x + column.width;
      double bottom = drawing::kHead - 1;
      for (const Card& card : column.cards) {
        EXPECT_GT(card.y, bottom);
        EXPECT_GE(card.height, drawing::kRow * static_cast<double>(card.rows.size()));
        bottom = card.y + card.height + 15;  // a factor below it
      }
      EXPECT_LE(bottom, net.height);
    }
    EXPECT_LE(right, net.width);
    for (const Wires& wires : net.wires) {
      std::vector<double> heights;
      for (const Wire& wire : wires.wires) {
        EXPECT_GE(wire.x2 - wire.x1, drawing::kLabel);
        heights.push_back(wires.at_target ? wire.y2 : wire.y1);
      }
      if (!wires.has_room) continue;
      std::ranges::sort(heights);
      for (std::size_t i = 1; i < heights.size(); ++i) EXPECT_GE(heights[i] - heights[i - 1], 32);  // two lines
    }
  }
}

}  // namespace
}  // namespace lockstep
