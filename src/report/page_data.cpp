#include "report/page_data.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>

#include "core/range.hpp"
#include "report/thinning.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

Json curves_of(const CsvTable& table, const PageLimits& limits) {
  Json curves = Json::object();
  const std::span<const double> steps = table.column("step");
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const std::string& name = table.columns[c];
    const std::vector<double>& values = table.values[c];
    if (name == "step" || name == "epoch" || steps.empty() || values.empty()) continue;
    if (std::ranges::all_of(values, [](double value) { return std::isnan(value); })) continue;  // not measured
    Json& curve = curves[name] = {{"x", Json::array()}, {"y", Json::array()}, {"rows", table.rows}};
    for (const std::size_t row : thin(values, limits.points)) {
      curve["x"].push_back(steps[row]);
      curve["y"].push_back(values[row]);
    }
  }
  return curves;
}

// Of the rows of a stretch: the smallest `min`, the mean `median` by the steps that a row is about, the largest `max`.
Json times_of(const CsvTable& table, const PageLimits& limits) {
  const std::span<const double> step = table.column("step");
  const std::span<const double> counts = table.column("steps");
  if (step.empty() || counts.empty()) return {};
  const std::size_t points = std::min(table.rows, limits.stretches);
  Json times{{"rows", table.rows}, {"step", Json::array()}, {"phases", Json::object()}};
  for (std::size_t point = 0; point < points; ++point)
    times["step"].push_back(step[part_of(table.rows, point, points).end - 1]);
  for (const std::string& column : table.columns) {
    constexpr std::string_view kEnd = "_median";
    if (!column.ends_with(kEnd)) continue;
    const std::string phase = column.substr(0, column.size() - kEnd.size());
    const std::span<const double> min = table.column(phase + "_min");
    const std::span<const double> median = table.column(column);
    const std::span<const double> max = table.column(phase + "_max");
    if (min.empty() || max.empty()) continue;
    Json& spread = times["phases"][phase] = {{"min", Json::array()}, {"median", Json::array()}, {"max", Json::array()}};
    for (std::size_t point = 0; point < points; ++point) {
      const Range rows = part_of(table.rows, point, points);
      double seconds = 0;
      double steps = 0;
      for (std::size_t row = rows.begin; row < rows.end; ++row) {
        seconds += median[row] * counts[row];
        steps += counts[row];
      }
      spread["min"].push_back(std::ranges::min(min.subspan(rows.begin, rows.size())));
      spread["median"].push_back(rows.size() == 1 ? median[rows.begin] : seconds / steps);
      spread["max"].push_back(std::ranges::max(max.subspan(rows.begin, rows.size())));
    }
  }
  return times;
}

Json slow_hosts_of(const CsvTable& table) {
  struct Slow {
    std::size_t rows = 0;
    double behind = 0;
    double first = 0;
    double last = 0;
  };
  std::map<std::string, Slow> hosts;
  const std::span<const double> step = table.column("step");
  const std::span<const double> behind = table.column("behind");
  if (step.empty() || behind.empty()) return {};
  for (const auto& [row, host] : table.texts) {
    Slow& slow = hosts[host];
    if (slow.rows++ == 0) slow.first = step[row];
    slow.last = step[row];
    slow.behind = std::max(slow.behind, behind[row]);
  }
  Json all = Json::array();
  for (const auto& [host, slow] : hosts) {
    all.push_back(
        {{"host", host}, {"rows", slow.rows}, {"behind", slow.behind}, {"first", slow.first}, {"last", slow.last}});
  }
  return all;
}

Json ranks_of(const CsvTable& table, const PageLimits& limits) {
  const std::span<const double> forward = table.column("forward");
  const std::span<const double> backward = table.column("backward");
  if (forward.empty() || backward.empty() || table.texts.size() != table.rows) return {};
  Json all{{"rows", table.rows}, {"shown", Json::array()}};
  const std::size_t groups = std::min(table.rows, limits.ranks);
  for (std::size_t group = 0; group < groups; ++group) {
    const Range range = part_of(table.rows, group, groups);
    std::size_t chosen = range.begin;
    for (std::size_t row = range.begin; row < range.end; ++row) {
      if (forward[row] + backward[row] > forward[chosen] + backward[chosen]) chosen = row;
    }
    Json rank;
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      if (table.columns[c] == "host")
        rank["host"] = table.texts[chosen].second;
      else if (!table.values[c].empty())
        rank[table.columns[c]] = table.values[c][chosen];
    }
    all["shown"].push_back(std::move(rank));
  }
  return all;
}

// A square matrix of counts; unset where it is none.
std::optional<std::vector<std::vector<double>>> matrix_of(const Json& json) {
  if (!json.is_array() || json.empty()) return std::nullopt;
  std::vector<std::vector<double>> matrix;
  for (const Json& row : json) {
    if (!row.is_array() || row.size() != json.size()) return std::nullopt;
    std::vector<double>& counts = matrix.emplace_back();
    for (const Json& count : row) {
      if (!count.is_number()) return std::nullopt;
      counts.push_back(count.get<double>());
    }
  }
  return matrix;
}

// The most frequent first; of equally frequent ones that of the lower label, then answer.
Json mistakes_of(const std::vector<std::vector<double>>& matrix, std::size_t most) {
  std::vector<std::tuple<double, std::size_t, std::size_t>> mistakes;  // less the count, label, answer
  for (std::size_t label = 0; label < matrix.size(); ++label) {
    for (std::size_t answer = 0; answer < matrix.size(); ++answer) {
      if (label != answer && matrix[label][answer] > 0) mistakes.emplace_back(-matrix[label][answer], label, answer);
    }
  }
  const std::size_t kept = std::min(most, mistakes.size());
  std::partial_sort(mistakes.begin(), mistakes.begin() + static_cast<std::ptrdiff_t>(kept), mistakes.end());
  Json json = Json::array();
  for (std::size_t i = 0; i < kept; ++i) {
    const auto [count, label, answer] = mistakes[i];
    json.push_back({label, answer, -count});
  }
  return json;
}

Json scores_of(const Json& scores, const PageLimits& limits) {
  if (!scores.is_object()) return {};
  Json kept = scores;
  const auto matrix = scores.contains("confusion") ? matrix_of(scores["confusion"]) : std::nullopt;
  if (!matrix) {
    kept.erase("confusion");
    return kept;
  }
  kept["size"] = matrix->size();
  kept["mistakes"] = mistakes_of(*matrix, limits.mistakes);
  if (matrix->size() > limits.classes) kept.erase("confusion");
  return kept;
}

Json importance_of(const Json& importance, const PageLimits& limits) {
  if (!importance.is_object() || !importance.contains("inputs") || !importance["inputs"].is_array()) return {};
  Json kept = importance;
  kept["count"] = importance["inputs"].size();
  Json& inputs = kept["inputs"];
  if (inputs.size() > limits.inputs) {
    inputs.erase(inputs.begin() + static_cast<std::ptrdiff_t>(limits.inputs), inputs.end());
  }
  return kept;
}

}  // namespace

Json page_data(const RunFiles& files, const PageLimits& limits) {
  Json data{{"name", files.name}, {"folder", files.folder}, {"status", files.status}, {"summary", files.summary}};
  data["curves"] = {{"steps", curves_of(files.steps, limits)}, {"epochs", curves_of(files.metrics, limits)}};
  data["times"] = times_of(files.times, limits);
  data["slow_hosts"] = slow_hosts_of(files.times);
  data["ranks"] = ranks_of(files.ranks, limits);
  data["scores"] = scores_of(files.scores, limits);
  data["importance"] = importance_of(files.importance, limits);
  data["keys"] = Json::array();
  for (const KeyValue& entry : files.keys) data["keys"].push_back({entry.key, entry.value});
  data["run"] = files.run;
  data["notes"] = files.notes;
  return data;
}

}  // namespace lockstep
