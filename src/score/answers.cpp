#include "score/answers.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/range.hpp"
#include "data/open_dataset.hpp"
#include "feed/dataset_batch.hpp"
#include "step/engine.hpp"

namespace lockstep {
namespace {

// The rows that are asked for: where they lie in tables that are in memory, and their numbers in the data set.
struct Rows {
  Table x, y;
  std::vector<std::uint32_t> places;
  std::vector<std::size_t> samples;
};

Table read_rows(TableReader& reader, std::span<const Range> runs, std::size_t count) {
  const TableHeader& header = reader.header();
  const auto memory = std::make_shared<std::vector<std::byte>>(count * header.row_bytes());
  std::span<std::byte> left(*memory);
  for (const Range& run : runs) {
    const std::size_t bytes = run.size() * header.row_bytes();
    reader.read(run, left.first(bytes));
    left = left.subspan(bytes);
  }
  return {header.type, count, header.columns, *memory, memory};
}

Rows choose_rows(const Asked& asked) {
  const std::size_t all = asked.count();
  const std::size_t count = std::min(all, SampledAnswers::kMostSamples);
  Rows rows{asked.data.x, asked.data.y, {}, {}};
  if (!asked.data.streamed()) {
    for (std::size_t i = 0; i < count; ++i) {
      rows.samples.push_back(row_at(asked.rows, i * all / count));
      rows.places.push_back(static_cast<std::uint32_t>(rows.samples.back()));
    }
    return rows;
  }
  std::vector<Range> runs;
  for (std::size_t run = 0; run < SampledAnswers::kRuns; ++run) {
    const std::size_t first = part_of(all, run, SampledAnswers::kRuns).begin;
    runs.push_back({first, first + part_of(count, run, SampledAnswers::kRuns).size()});
    for (std::size_t row = runs.back().begin; row < runs.back().end; ++row) {
      rows.places.push_back(static_cast<std::uint32_t>(rows.samples.size()));
      rows.samples.push_back(row);
    }
  }
  rows.x = read_rows(*asked.data.file->x, runs, count);
  rows.y = read_rows(*asked.data.file->y, runs, count);
  return rows;
}

}  // namespace

SampledAnswers sample_answers(const Net& net, const Asked& asked) {
  const Rows rows = choose_rows(asked);
  const ColumnScaling& scaling = asked.normalization.y;
  const std::size_t count = rows.samples.size();
  const std::size_t outputs = net.model.outputs();
  const std::size_t each = net.loss.outputs_per_target();
  const std::size_t shown = std::min(outputs / each, SampledAnswers::kMostOutputs);
  std::vector<double> values(each);
  const bool binary = net.loss.task() == Task::binary;
  SampledAnswers answers{.samples = rows.samples};
  answers.truth.assign(shown, std::vector<double>(count));
  answers.predicted.assign(shown, std::vector<double>(count));

  Workspace workspace = net.model.make_workspace(std::min(count, kEvaluationBlock), false);
  RowBuffer buffer(net.loss.num_targets(outputs), net.loss.targets());
  buffer.reserve(std::min(count, kEvaluationBlock));
  std::vector<double> truth(rows.y.columns);
  for (std::size_t first = 0; first < count; first += kEvaluationBlock) {
    const std::size_t size = std::min(kEvaluationBlock, count - first);
    const auto chosen = std::span(rows.places).subspan(first, size);
    gather_samples(rows.x, rows.y, {}, asked.normalization, chosen, buffer.rows(size, workspace.input(size)));
    const auto found = net.model.forward(Pass{}, net.weights, size, workspace);
    for (std::size_t i = 0; i < size; ++i) {
      rows.y.row(chosen[i], truth);
      for (std::size_t output = 0; output < shown; ++output) {
        net.loss.answer(found.subspan(i * outputs + output * each, each), values);
        const double value = values[net.loss.point()];
        const double scale = scaling.empty() ? 1 : scaling.scale[output];
        const double shift = scaling.empty() ? 0 : scaling.shift[output];
        answers.truth[output][first + i] = truth[output];
        answers.predicted[output][first + i] =
            binary && net.loss.gives_probabilities() ? 1 / (1 + std::exp(-value)) : value * scale + shift;
      }
    }
  }
  return answers;
}

nlohmann::ordered_json describe_answers(const Net& net, const Asked& asked, const Scores& scores,
                                        const std::vector<std::string>& class_names) {
  nlohmann::ordered_json json{{"samples", asked.count()},
                              {"outputs", net.model.outputs() / net.loss.outputs_per_target()}};
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
  if (net.loss.task() == Task::binary) json["threshold"] = net.threshold;
  json["true"] = answers.truth;
  json["predicted"] = answers.predicted;
  return json;
}

}  // namespace lockstep
