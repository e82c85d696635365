// Optimizers: element-wise updates of any part of the arenas.
//
// Formulas, keys and defaults are PyTorch's of the same name. An update is a pure function of the elements it is given
// and of norms that are taken over fixed blocks, so it does not matter which rank does which part.
//
// Adding one: its file, its row in optimizer.cpp; plus its test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/sums.hpp"
#include "core/type_info.hpp"
#include "lockstep/options.hpp"

namespace lockstep {

/// What one update needs besides the numbers.
struct UpdateStep {
  double lr = 0;           ///< learning rate of this step, schedule included
  std::uint64_t step = 1;  ///< counts from 1
  double divisor = 1;      ///< samples of the global batch, or their weight: the gradient is sum / divisor ...
  float clip = 1;          ///< ... times this
  /// What the sum is multiplied by.
  [[nodiscard]] float scale() const noexcept { return static_cast<float>(double{clip} / divisor); }
  double weight_norm = 0;     ///< of the whole parameter that the elements are of; where needs_norms()
  double direction_norm = 0;  ///< of what measure() measured
};

/// Sums of squares over some elements: of the weights, and of what an optimizer compares them with.
struct SquareSums {
  double weights = 0;
  double direction = 0;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// Names of the state arrays, each as large as the weights ("momentum_buffer"; "exp_avg", "exp_avg_sq").
  [[nodiscard]] virtual std::span<const std::string_view> slots() const = 0;
  /// The value that slot `index` starts from.
  [[nodiscard]] virtual float slot_start(std::size_t /*index*/) const { return 0.0F; }

  /// Whether an update needs the norms of whole parameters. Then measure() goes over all blocks before update() does.
  [[nodiscard]] virtual bool needs_norms() const { return false; }
  /// The sums of squares that make up the norms; may change `slots`. Shapes as for update, n at most
  /// PairSum::kMostAlone. Errors: usage.
  [[nodiscard]] virtual SquareSums measure(const UpdateStep& /*step*/, bool /*decay*/,
                                           std::span<const float> /*weights*/, const PairSum& /*gradient*/,
                                           std::span<const std::span<float>> /*slots*/) const {
    return {};
  }

  /// Updates `weights` and `slots` [n] in place from the gradient sum [n].
  /// `decay`: whether weight_decay applies to these elements.
  virtual void update(const UpdateStep& step, bool decay, std::span<float> weights, const PairSum& gradient,
                      std::span<const std::span<float>> slots) const = 0;
};

/// A row: all that is known of a type, its options with bounds, defaults and help.
struct OptimizerType {
  TypeInfo info;
  double default_lr = 0;  ///< PyTorch's; sgd has none there (1e-2 here); of lars and lamb the usual one
  /// Takes options that complete() has seen. Errors: config, for what no single option tells.
  std::unique_ptr<Optimizer> (*make)(const Options& options) = nullptr;
};

/// All optimizer types, in the order of the documentation.
[[nodiscard]] std::span<const OptimizerType> optimizer_table();
/// Its row with the learning rate among the options, for people.
[[nodiscard]] TypeInfo with_lr(const OptimizerType& type);

/// Errors: config (unknown type, listing the known ones; bad options).
[[nodiscard]] std::unique_ptr<Optimizer> make_optimizer(std::string_view type, const Options& options);

}  // namespace lockstep
