// Softmax and sigmoid as in the losses, so that a label here is a right answer there.
#include "model/predictions.hpp"

#include <algorithm>

#include "core/sums.hpp"
#include "core/vector_math.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// Shapes: logits, probabilities [n, width].
void softmax_rows(std::size_t width, std::span<const float> logits, std::span<float> probabilities) {
  for (std::size_t begin = 0; begin < logits.size(); begin += width) {
    const auto row = logits.subspan(begin, width);
    const float most = largest(row);
    for (std::size_t j = 0; j < width; ++j) probabilities[begin + j] = row[j] - most;
  }
  vector_exp(probabilities, probabilities);
  for (std::size_t begin = 0; begin < logits.size(); begin += width) {
    const auto row = probabilities.subspan(begin, width);
    const auto factor = static_cast<float>(1.0 / sum(row));
    for (float& value : row) value *= factor;
  }
}

}  // namespace

void Predictions::clear() {
  rows = 0;
  probabilities.clear();
  labels.clear();
  values.clear();
  bad = {};
  kept = nullptr;
}

void add_predictions(Task task, std::size_t width, std::span<const float> outputs, const TargetUnits& units,
                     Predictions& predictions) {
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
  if (task == Task::binary) {
    vector_sigmoid(outputs, probabilities);
    for (const float logit : outputs) predictions.labels.push_back(logit > 0.0F ? 1 : 0);
    return;
  }
  softmax_rows(width, outputs, probabilities);
  for (std::size_t begin = 0; begin < outputs.size(); begin += width) {
    const auto row = outputs.subspan(begin, width);
    predictions.labels.push_back(std::max_element(row.begin(), row.end()) - row.begin());
  }
}

}  // namespace lockstep
