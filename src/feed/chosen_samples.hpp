// Some samples by their number, as training sees them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "model/loss.hpp"

namespace lockstep {

struct ChosenSamples {
  std::vector<std::uint32_t> samples;  ///< [n] rows of the data set
  std::vector<float> x;                ///< [n, inputs], normalised
  std::vector<float> values;           ///< [n, outputs], normalised; or empty
  std::vector<std::int32_t> labels;    ///< [n]; or empty
  std::vector<float> weights;          ///< [n]; or empty
  bool may_miss = false;               ///< a NaN in values is a target that is missing
  [[nodiscard]] Targets targets() const noexcept { return {labels, values, weights, may_miss}; }
};

/// Rows `samples` of `data`, which is held or streamed. Local. Errors: data, io (of a streamed one; not finite); usage
/// (there is no such row).
[[nodiscard]] ChosenSamples read_samples(const Dataset& data, const Normalization& normalization, TargetKind kind,
                                         std::vector<std::uint32_t> samples);

}  // namespace lockstep
