// Whether what a checkpoint says of its run is true of itself. The one part of checkpoint that knows nets.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "checkpoint/checkpoint.hpp"
#include "core/parameters.hpp"
#include "optim/optimizer.hpp"

namespace lockstep {

/// Which arrays a checkpoint of a run holds.
struct ExpectedArrays {
  ParameterTable table;
  std::unique_ptr<Optimizer> optimizer;
  bool ema = false;
  [[nodiscard]] std::span<const std::string_view> slots() const { return optimizer->slots(); }
};

/// Checks every count, length and number of `info` against its run and the others, as those that read it rely on them.
/// Takes no memory for arrays. Errors: data, naming `file` and what in it does not agree.
[[nodiscard]] ExpectedArrays check_info(const CheckpointInfo& info, const std::string& file);

}  // namespace lockstep
