// What a net answers on test or validation data: scores.json of a run folder.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "data/split.hpp"
#include "lockstep/scores.hpp"
#include "score/evaluation.hpp"

namespace lockstep {

/// Answers to some samples of a data set, in the targets' own units; of a binary classification probabilities.
struct SampledAnswers {
  static constexpr std::size_t kMostSamples = 1000;  ///< evenly spaced where there are more
  /// Of a streamed data set: as many rows in so many runs of neighbours, since files keep rows together.
  static constexpr std::size_t kRuns = 20;
  static constexpr std::size_t kMostOutputs = 8;  ///< the first ones
  std::vector<std::size_t> samples = {};          ///< indices
  std::vector<std::vector<double>> truth = {};    ///< [outputs][samples]
  std::vector<std::vector<double>> predicted = {};
};

/// What is answered: `rows` of `data`, see RowList; of a streamed data set all of them.
struct Asked {
  const Dataset& data;
  const Normalization& normalization;
  RowList rows = {};
  [[nodiscard]] std::size_t count() const noexcept { return rows.empty() ? data.samples() : rows.size(); }
};

/// The same bits at any rank count. Local: one rank computes all of it. Errors: data, io (of a streamed data set).
[[nodiscard]] SampledAnswers sample_answers(const Net& net, const Asked& asked);

/// The confusion matrix of `scores`, or for other tasks than classification the answers to some samples; nothing where
/// a matrix is not kept. `class_names` [classes], or empty. Local. Errors: as sample_answers.
[[nodiscard]] nlohmann::ordered_json describe_answers(const Net& net, const Asked& asked, const Scores& scores,
                                                      const std::vector<std::string>& class_names);

}  // namespace lockstep
