// Exact scores over data: every sample once, in fixed blocks, added in the fixed tree.
#pragma once

#include <optional>
#include <span>

#include "comm/communicator.hpp"
#include "core/function_ref.hpp"
#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "lockstep/batch.hpp"
#include "lockstep/scores.hpp"
#include "model/loss.hpp"
#include "model/metrics.hpp"
#include "model/model.hpp"
#include "model/ranking.hpp"

namespace lockstep {

/// A net with its weights and its loss, to be looked at only.
struct Net {
  const Model& model;
  const Loss& loss;
  std::span<const float> weights;  ///< [arena]
  double threshold = 0.5;          ///< binary: the probability above which an output is answered with 1
};

struct ScoreOptions {
  /// Also what goes by the order of all samples, see goes_by_order(): rank 0 takes what the net says to all of them.
  /// Where that is more than SampleAnswers::kMostNumbers it is left out, which Scores::left_out tells.
  bool by_order = false;
};

/// Scores over `rows` of `data`, the same bits at any rank count. Every rank sees all of `data`, or reads its part
/// where that is streamed, of which all rows are scored. Collective. Allocates. Errors, agreed: data (they weigh 0 or
/// less in all), and data and io of samples that are read only now.
[[nodiscard]] Scores evaluate(const Communicator& comm, const Net& net, const Dataset& data,
                              const Normalization& normalization, RowList rows = {}, const ScoreOptions& options = {});

/// The best threshold for a binary net with one output on `rows` of `data`, by the weights of the samples; unset where
/// there is none, see best_threshold(). Collective. Errors, agreed: config (more samples than rank 0 takes), data, io.
[[nodiscard]] std::optional<Threshold> find_threshold(const Communicator& comm, const Net& net, const Dataset& data,
                                                      const Normalization& normalization, RowList rows,
                                                      ThresholdRule rule);

/// Whether a net that is scored over `rows` of `data` has an r2: the targets alone decide that. Of regressions.
/// Collective. Errors, agreed: data, io (of samples that are read only now).
[[nodiscard]] bool has_r2(const Communicator& comm, const Loss& loss, const Dataset& data,
                          const Normalization& normalization, RowList rows = {});

/// Scores over samples that lie on the ranks: this rank has `samples` of them, and `gather(first, rows)` fills the rows
/// from its sample `first` on. `extras`: of the samples of all ranks, the same on each.
/// Collective. Allocates. Errors: usage (no samples on any rank), data (they weigh 0 or less in all).
[[nodiscard]] Scores evaluate_local(const Communicator& comm, const Net& net, std::size_t samples, SampleExtras extras,
                                    const TargetUnits& units,
                                    FunctionRef<void(std::size_t first, const BatchRows& rows)> gather,
                                    const ScoreOptions& options = {});

/// Outputs of the net for `rows` rows, in blocks: x in the units of its data, values in those of its targets.
/// Shapes: x [rows, inputs], outputs [rows, outputs]. Local.
void predict(const Net& net, const Normalization& normalization, std::span<const float> x, std::span<float> outputs);

}  // namespace lockstep
