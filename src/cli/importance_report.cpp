#include "cli/importance_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/csv_text.hpp"
#include "core/number_text.hpp"
#include "core/visible_text.hpp"

namespace lockstep::cli {

std::string importance_text(const Importance& importance) {
  constexpr std::size_t kMost = 40;
  constexpr std::size_t kWidest = 40;
  const std::size_t shown = std::min(kMost, importance.inputs.size());
  std::size_t width = 5;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < shown; ++i) {
    names.push_back(visible(importance.inputs[i].input.name));
    width = std::max(width, std::min(kWidest, fmt::formatted_size("{}", names.back())));
  }
  std::string text =
      fmt::format("\nby how much {} {} when an input is shuffled: mean and deviation of {}\n{:<{}}{:>9}{:>13}{:>13}\n",
                  importance.by.score, importance.smaller_is_better ? "grows" : "falls",
                  count_text(importance.by.repeats, "time"), "input", width, "columns", "mean", "deviation");
  for (std::size_t i = 0; i < shown; ++i) {
    const InputImportance& input = importance.inputs[i];
    text += fmt::format("{:<{}}{:>9}{:>13.4g}{:>13.4g}\n", names[i], width, input.input.columns.size(), input.mean,
                        input.deviation);
  }
  if (shown < importance.inputs.size()) {
    text += fmt::format("and {} that matter less (--importance-csv and --json have all)\n",
                        count_text(importance.inputs.size() - shown, "input"));
  }
  return text;
}

nlohmann::ordered_json importance_json(const Importance& importance) {
  nlohmann::ordered_json json{{"score", importance.by.score},
                              {"whole", importance.whole},
                              {"seed", importance.by.seed},
                              {"repeats", importance.by.repeats},
                              {"inputs", nlohmann::ordered_json::array()}};
  for (const InputImportance& input : importance.inputs) {
    json["inputs"].push_back({{"input", input.input.name},
                              {"columns", input.input.columns},
                              {"mean", input.mean},
                              {"deviation", input.deviation},
                              {"drops", input.drops}});
  }
  return json;
}

std::string importance_csv(const Importance& importance) {
  std::string text = "input,columns,mean,deviation";
  for (std::size_t repeat = 1; repeat <= importance.by.repeats; ++repeat) text += fmt::format(",drop_{}", repeat);
  text += '\n';
  for (const InputImportance& input : importance.inputs) {
    text += fmt::format("{},{},{},{},{}\n", csv_text(input.input.name), input.input.columns.size(), input.mean,
                        input.deviation, fmt::join(input.drops, ","));
  }
  return text;
}

}  // namespace lockstep::cli
