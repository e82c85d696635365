#include "train/answers.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/range.hpp"
#include "train/dataset_batch.hpp"
#include "train/engine.hpp"

namespace lockstep {

SampledAnswers sample_answers(const Net& net, const Asked& asked) {
  const auto& [data, normalization, list] = asked;
  const std::size_t count = std::min(asked.count(), SampledAnswers::kMostSamples);
  const std::size_t outputs = net.model.outputs();
  const std::size_t shown = std::min(outputs, SampledAnswers::kMostOutputs);
  const bool binary = net.loss.task() == Task::binary;
  SampledAnswers answers;
  for (std::size_t i = 0; i < count; ++i) answers.samples.push_back(row_at(list, i * asked.count() / count));
  answers.truth.assign(shown, std::vector<double>(count));
  answers.predicted.assign(shown, std::vector<double>(count));

  Workspace workspace = net.model.make_workspace(std::min(count, kEvaluationBlock), false);
  RowBuffer buffer(outputs, net.loss.targets());
  buffer.reserve(std::min(count, kEvaluationBlock));
  std::vector<double> truth(data.y.columns);
  for (std::size_t first = 0; first < count; first += kEvaluationBlock) {
    const std::size_t rows = std::min(kEvaluationBlock, count - first);
    std::vector<std::uint32_t> chosen;
    for (std::size_t i = first; i < first + rows; ++i) chosen.push_back(static_cast<std::uint32_t>(answers.samples[i]));
    gather_samples(data, normalization, chosen, buffer.rows(rows, workspace.input(rows)));
    const auto found = net.model.forward(Pass{}, net.weights, rows, workspace);
    for (std::size_t i = 0; i < rows; ++i) {
      data.y.row(chosen[i], truth);
      for (std::size_t output = 0; output < shown; ++output) {
        const double value = found[i * outputs + output];
        const double scale = normalization.y.scale.empty() ? 1 : normalization.y.scale[output];
        const double shift = normalization.y.shift.empty() ? 0 : normalization.y.shift[output];
        answers.truth[output][first + i] = truth[output];
        answers.predicted[output][first + i] = binary ? 1 / (1 + std::exp(-value)) : value * scale + shift;
      }
    }
  }
  return answers;
}

nlohmann::ordered_json describe_answers(const Net& net, const Asked& asked, const Scores& scores,
                                        const std::vector<std::string>& class_names) {
  nlohmann::ordered_json json{{"samples", asked.count()}, {"outputs", net.model.outputs()}};
  if (net.loss.task() == Task::classification) {
    json["task"] = "classification";
    if (class_names.size() == net.model.outputs()) json["classes"] = class_names;
    const auto classes = static_cast<std::ptrdiff_t>(net.model.outputs());
    for (auto row = scores.confusion.begin(); row < scores.confusion.end(); row += classes) {
      json["confusion"].push_back(std::vector<std::int64_t>(row, row + classes));
    }
    return json;
  }
  const SampledAnswers answers = sample_answers(net, asked);
  json["task"] = net.loss.task() == Task::binary ? "binary" : "regression";
  json["sampled"] = answers.samples;
  json["true"] = answers.truth;
  json["predicted"] = answers.predicted;
  return json;
}

}  // namespace lockstep
