#include "cli/class_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <utility>

#include "core/number_text.hpp"
#include "core/visible_text.hpp"

namespace lockstep::cli {
namespace {

constexpr std::size_t kMostClasses = 40;  // in a table that people read
constexpr std::size_t kLowest = 20;       // of more classes

struct ClassScore {
  std::size_t number = 0;
  std::string name;  // the number where there is none
  std::int64_t samples = 0;
  std::optional<double> recall;     // unset: no samples
  std::optional<double> precision;  // unset: no answers, or not known
  std::optional<double> f1;         // unset: neither, or not known
  std::size_t mistaken_for = 0;     // the most frequent wrong answer ...
  std::int64_t mistakes = 0;        // ... and how often it was given
};

std::optional<double> share(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return {};
  return static_cast<double>(part) / static_cast<double>(whole);
}

std::vector<ClassScore> scores_by_class(const Scores& scores, const std::vector<std::string>& names) {
  const std::size_t classes = scores.class_samples.size();
  std::vector<ClassScore> all;
  for (std::size_t c = 0; c < classes; ++c) {
    ClassScore score;
    score.number = c;
    score.name = c < names.size() ? names[c] : std::to_string(c);
    score.samples = scores.class_samples[c];
    score.recall = share(scores.class_right[c], score.samples);
    if (!scores.confusion.empty()) {
      std::int64_t answers = 0;
      for (std::size_t other = 0; other < classes; ++other) {
        answers += scores.confusion[other * classes + c];
        const std::int64_t mistakes = scores.confusion[c * classes + other];
        if (other == c || mistakes <= score.mistakes) continue;
        score.mistaken_for = other;
        score.mistakes = mistakes;
      }
      score.precision = share(scores.class_right[c], answers);
      score.f1 = share(2 * scores.class_right[c], score.samples + answers);
    }
    all.push_back(std::move(score));
  }
  return all;
}

std::string share_text(const std::optional<double>& value) {
  return value ? fmt::format("{:.4f}", *value) : "-";
}

// Class numbers stand above the columns, names before the rows: so a matrix of 40 classes stays readable.
std::string matrix(const Scores& scores, const std::vector<ClassScore>& all, std::size_t name_width) {
  const std::size_t classes = all.size();
  const std::int64_t most = *std::max_element(scores.confusion.begin(), scores.confusion.end());
  const std::size_t width = 1 + std::max(std::to_string(most).size(), std::to_string(classes - 1).size());
  std::string text = fmt::format("\nconfusion matrix (row: label, column: answer)\n{:{}}", "", name_width);
  for (std::size_t c = 0; c < classes; ++c) text += fmt::format("{:>{}}", c, width);
  text += '\n';
  for (std::size_t row = 0; row < classes; ++row) {
    text += fmt::format("{:<{}}", all[row].name, name_width);
    for (std::size_t c = 0; c < classes; ++c) {
      const std::int64_t count = scores.confusion[row * classes + c];
      text += fmt::format("{:>{}}", count == 0 ? std::string(".") : std::to_string(count), width);
    }
    text += '\n';
  }
  return text;
}

}  // namespace

std::string class_report(const Scores& scores, const std::vector<std::string>& names) {
  const std::vector<ClassScore> all = scores_by_class(scores, visible(names));
  if (all.empty()) return "";
  std::vector<const ClassScore*> shown;
  for (const ClassScore& score : all) shown.push_back(&score);
  std::string text = "\n";
  if (all.size() > kMostClasses) {
    const auto recall_of = [](const ClassScore* score) { return score->recall.value_or(2.0); };  // behind all others
    std::ranges::stable_sort(shown, {}, recall_of);
    shown.resize(kLowest);
    text += fmt::format("the {} of {} classes with the lowest recall (--json has all)\n", kLowest, all.size());
  }
  std::size_t name_width = 5;
  for (const ClassScore* score : shown) {
    name_width = std::max(name_width, std::min<std::size_t>(fmt::formatted_size("{}", score->name), 24));
  }
  const bool mistakes_known = !scores.confusion.empty();
  text += fmt::format("{:<{}}{:>9}{:>9}{:>11}{:>9}{}\n", "class", name_width, "samples", "recall", "precision", "f1",
                      mistakes_known ? "  most often taken for" : "");
  for (const ClassScore* score : shown) {
    text += fmt::format("{:<{}}{:>9}{:>9}{:>11}{:>9}", score->name, name_width, score->samples,
                        share_text(score->recall), share_text(score->precision), share_text(score->f1));
    if (score->mistakes != 0) text += fmt::format("  {} ({})", all[score->mistaken_for].name, score->mistakes);
    text += '\n';
  }
  if (mistakes_known && all.size() <= kMostClasses) text += matrix(scores, all, name_width);
  return text;
}

std::string target_report(const Scores& scores, const std::vector<std::string>& names) {
  if (scores.targets.size() < 2) return "";
  constexpr std::pair<const char*, std::optional<double> TargetScores::*> kColumns[] = {
      {"r2", &TargetScores::r2},
      {"rmse", &TargetScores::rmse},
      {"mae", &TargetScores::mae},
      {"mape", &TargetScores::mape},
      {"median", &TargetScores::error_median},
      {"90 %", &TargetScores::error_p90},
      {"largest", &TargetScores::error_max}};
  std::vector<std::string> shown;
  std::size_t width = 6;
  for (std::size_t i = 0; i < scores.targets.size(); ++i) {
    shown.push_back(i < names.size() ? visible(names[i]) : fmt::format("{}", i));
    width = std::max(width, std::min<std::size_t>(fmt::formatted_size("{}", shown.back()), 24));
  }
  std::string text = fmt::format("\n{:<{}}", "target", width);
  for (const auto& [name, _] : kColumns) text += fmt::format("{:>12}", name);
  text += '\n';
  for (std::size_t i = 0; i < scores.targets.size(); ++i) {
    text += fmt::format("{:<{}}", shown[i], width);
    for (const auto& [_, score] : kColumns) {
      const std::optional<double>& value = scores.targets[i].*score;
      text += value ? fmt::format("{:>12.5g}", *value) : fmt::format("{:>12}", "-");
    }
    text += '\n';
  }
  return text + "(median, 90 %, largest: of the absolute errors)\n";
}

nlohmann::ordered_json target_json(const Scores& scores, const std::vector<std::string>& names) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < scores.targets.size(); ++i) {
    nlohmann::ordered_json entry{{"target", i}, {"name", i < names.size() ? names[i] : fmt::format("{}", i)}};
    for (const auto& [name, value] : scores.targets[i].named()) entry[name] = value;
    list.push_back(std::move(entry));
  }
  return list;
}

nlohmann::ordered_json class_json(const Scores& scores, const std::vector<std::string>& names) {
  const auto number = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  };
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ClassScore& score : scores_by_class(scores, names)) {
    list.push_back({{"class", score.number},
                    {"name", score.name},
                    {"samples", score.samples},
                    {"recall", number(score.recall)},
                    {"precision", number(score.precision)},
                    {"f1", number(score.f1)}});
  }
  return list;
}

}  // namespace lockstep::cli
