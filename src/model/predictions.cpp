#include "model/predictions.hpp"

#include <algorithm>

#include "lockstep/error.hpp"
#include "model/probabilities.hpp"

namespace lockstep {
namespace {

// Calls `use(place, answer)` for the answers to all targets, in their own units.
template <class Use>
void for_each_answer(const Loss& loss, const TargetUnits& units, std::span<const float> outputs, Use use) {
  const std::size_t each = loss.outputs_per_target();
  const std::vector<AnswerColumn> columns = loss.answers();
  const std::size_t targets = units.scale.size();
  std::vector<double> answers(each);
  for (std::size_t i = 0; i * each < outputs.size(); ++i) {
    loss.answer(outputs.subspan(i * each, each), answers);
    for (std::size_t a = 0; a < each; ++a) {
      if (targets > 0) {
        const double scaled = answers[a] * units.scale[i % targets];
        answers[a] = columns[a].shifts ? scaled + units.shift[i % targets] : scaled;
      }
      use(i * each + a, answers[a]);
    }
  }
}

}  // namespace

void answer_rows(const Loss& loss, const TargetUnits& units, std::span<float> values) {
  // What is written was read before.
  for_each_answer(loss, units, values,
                  [&](std::size_t place, double answer) { values[place] = static_cast<float>(answer); });
}

void Predictions::clear() {
  rows = 0;
  probabilities.clear();
  labels.clear();
  values.clear();
  bad = {};
  kept = nullptr;
}

void add_predictions(const Loss& loss, std::size_t width, std::span<const float> outputs, const TargetUnits& units,
                     Predictions& predictions, double threshold) {
  const std::size_t rows = outputs.size() / width;
  const std::size_t targets = loss.num_targets(width);
  const bool scaled = !units.scale.empty();
  if (rows * width != outputs.size() || (scaled && (units.scale.size() != targets || units.shift.size() != targets))) {
    throw Error(ErrorKind::usage, "add_predictions: outputs must be [n, width], units [targets]");
  }
  predictions.rows += rows;
  if (loss.task() == Task::regression) {
    for_each_answer(loss, units, outputs, [&](std::size_t, double answer) { predictions.values.push_back(answer); });
    return;
  }
  const std::size_t before = predictions.probabilities.size();
  predictions.probabilities.resize(before + outputs.size());
  const auto probabilities = std::span(predictions.probabilities).subspan(before);
  if (loss.gives_probabilities()) {
    fill_probabilities(loss.task(), width, outputs, probabilities);
  } else {
    std::ranges::copy(outputs, probabilities.begin());
  }
  if (loss.task() == Task::binary) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      predictions.labels.push_back(answers_one(threshold, outputs[i], probabilities[i]) ? 1 : 0);
    }
    return;
  }
  for (std::size_t begin = 0; begin < outputs.size(); begin += width) {
    const auto row = outputs.subspan(begin, width);
    predictions.labels.push_back(std::max_element(row.begin(), row.end()) - row.begin());
  }
}

}  // namespace lockstep
