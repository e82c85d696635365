#include "model/predictions.hpp"

#include <algorithm>

#include "lockstep/error.hpp"
#include "model/probabilities.hpp"

namespace lockstep {
void Predictions::clear() {
  rows = 0;
  probabilities.clear();
  labels.clear();
  values.clear();
  bad = {};
  kept = nullptr;
}

void add_predictions(Task task, std::size_t width, std::span<const float> outputs, const TargetUnits& units,
                     Predictions& predictions, double threshold) {
  const std::size_t rows = outputs.size() / width;
  const bool scaled = !units.scale.empty();
  if (rows * width != outputs.size() || (scaled && (units.scale.size() != width || units.shift.size() != width))) {
    throw Error(ErrorKind::usage, "add_predictions: outputs must be [n, width], units [width]");
  }
  predictions.rows += rows;
  if (task == Task::regression) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const double value = outputs[i];
      predictions.values.push_back(scaled ? value * units.scale[i % width] + units.shift[i % width] : value);
    }
    return;
  }
  const std::size_t before = predictions.probabilities.size();
  predictions.probabilities.resize(before + outputs.size());
  const auto probabilities = std::span(predictions.probabilities).subspan(before);
  fill_probabilities(task, width, outputs, probabilities);
  if (task == Task::binary) {
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
