// Losses in plain arithmetic, see plain_layer.hpp. One row a name of model/loss.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "layers/plain_layer.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep {

/// The true answer of one sample.
struct PlainTarget {
  std::int32_t label = 0;           ///< of a classification
  std::vector<double> values = {};  ///< else, [targets]; NaN: it is missing, and left out
  double weight = 1;                ///< of the sample, by which its loss counts
};

class PlainLoss {
 public:
  virtual ~PlainLoss() = default;
  /// "C = ..." and "dC/da[i] = ..." of a net with `outputs` outputs; a is the outputs, t the targets.
  [[nodiscard]] virtual Formula formula(std::size_t outputs) const = 0;
  /// The loss of one sample with its class weight, if any, without its own.  a [outputs].
  [[nodiscard]] virtual double value(std::span<const double> a, const PlainTarget& target) const = 0;
  /// As PlainLayer::add_sides.
  virtual void add_sides(std::span<const double> /*a*/, const PlainTarget& /*target*/,
                         std::vector<bool>& /*sides*/) const {}
};

struct PlainLossType {
  std::string_view name;
  std::unique_ptr<PlainLoss> (*make)(const Options& options);
};

/// All losses, in the order of model/loss.cpp.
[[nodiscard]] std::span<const PlainLossType> plain_loss_table();

/// Errors: internal (a type that is not in the table).
[[nodiscard]] std::unique_ptr<PlainLoss> make_plain_loss(const Component& config);

}  // namespace lockstep
