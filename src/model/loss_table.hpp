// The one table of losses: a row a type, with its options, their bounds, defaults and help.
#pragma once

#include <memory>
#include <span>

#include "core/type_info.hpp"
#include "model/loss.hpp"

namespace lockstep {

struct LossType {
  TypeInfo info;
  /// Takes options that complete() has seen. Errors: config, for what no single option tells.
  std::unique_ptr<Loss> (*make)(const Options& options) = nullptr;
};

[[nodiscard]] std::span<const LossType> loss_table();

}  // namespace lockstep
