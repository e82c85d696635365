#include "model/probabilities.hpp"

#include <algorithm>
#include <cmath>

#include "core/sums.hpp"
#include "core/vector_math.hpp"

namespace lockstep {

void fill_probabilities(Task task, std::size_t width, std::span<const float> outputs, std::span<float> probabilities) {
  if (task == Task::binary) return vector_sigmoid(outputs, probabilities);
  for (std::size_t begin = 0; begin < outputs.size(); begin += width) {
    const auto row = outputs.subspan(begin, width);
    const float most = largest(row);
    for (std::size_t j = 0; j < width; ++j) probabilities[begin + j] = row[j] - most;
  }
  vector_exp(probabilities, probabilities);
  for (std::size_t begin = 0; begin < outputs.size(); begin += width) {
    const auto row = probabilities.subspan(begin, width);
    const auto factor = static_cast<float>(1.0 / sum(row));
    for (float& value : row) value *= factor;
  }
}

void fill_answers(double threshold, std::span<const float> logits, std::span<float> answers) {
  if (threshold == 0.5) {
    std::ranges::copy(logits, answers.begin());
    return;
  }
  vector_sigmoid(logits, answers);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (std::isnan(logits[i])) {
      answers[i] = logits[i];
    } else {
      answers[i] = answers_one(threshold, logits[i], answers[i]) ? 1.0F : -1.0F;
    }
  }
}

}  // namespace lockstep
