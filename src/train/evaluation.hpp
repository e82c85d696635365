// Exact scores over data: every sample once, in fixed blocks, added in the fixed tree.
#pragma once

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

namespace lockstep {

/// A net with its weights and its loss, to be looked at only.
struct Net {
  const Model& model;
  const Loss& loss;
  std::span<const float> weights;  ///< [arena]
};

/// Scores over `rows` of `data`, the same bits at any rank count. Every rank sees all of `data`, or reads its part
/// where that is streamed, of which all rows are scored. Collective. Allocates. Errors, agreed: data, io (of samples
/// that are read only now).
[[nodiscard]] Scores evaluate(const Communicator& comm, const Net& net, const Dataset& data,
                              const Normalization& normalization, RowList rows = {});

/// Whether a net that is scored over `rows` of `data` has an r2: the targets alone decide that. Of regressions.
/// Collective. Errors, agreed: data, io (of samples that are read only now).
[[nodiscard]] bool has_r2(const Communicator& comm, const Loss& loss, const Dataset& data,
                          const Normalization& normalization, RowList rows = {});

/// Scores over samples that lie on the ranks: this rank has `samples` of them, and `gather(first, rows)` fills the rows
/// from its sample `first` on. `extras`: of the samples of all ranks, the same on each.
/// Collective. Allocates. Errors: usage (no samples on any rank).
[[nodiscard]] Scores evaluate_local(const Communicator& comm, const Net& net, std::size_t samples, SampleExtras extras,
                                    const TargetUnits& units,
                                    FunctionRef<void(std::size_t first, const BatchRows& rows)> gather);

/// Outputs of the net for `rows` rows, in blocks: x in the units of its data, values in those of its targets.
/// Shapes: x [rows, inputs], outputs [rows, outputs]. Local.
void predict(const Net& net, const Normalization& normalization, std::span<const float> x, std::span<float> outputs);

}  // namespace lockstep
