// Factories of the losses, defined in the losses' files; the table is in loss.cpp.
#pragma once

#include <memory>

#include "model/loss.hpp"

namespace lockstep {

// Each checks its options (unknown keys, ranges) and throws config.
[[nodiscard]] std::unique_ptr<Loss> make_mse(const Options& options);
[[nodiscard]] std::unique_ptr<Loss> make_mae(const Options& options);
[[nodiscard]] std::unique_ptr<Loss> make_huber(const Options& options);
[[nodiscard]] std::unique_ptr<Loss> make_binary_cross_entropy(const Options& options);
[[nodiscard]] std::unique_ptr<Loss> make_softmax_cross_entropy(const Options& options);
[[nodiscard]] std::unique_ptr<Loss> make_gaussian_nll(const Options& options);
[[nodiscard]] std::unique_ptr<Loss> make_quantile(const Options& options);
[[nodiscard]] std::unique_ptr<Loss> make_poisson_nll(const Options& options);
[[nodiscard]] std::unique_ptr<Loss> make_hinge(const Options& options);
[[nodiscard]] std::unique_ptr<Loss> make_multi_margin(const Options& options);
[[nodiscard]] std::unique_ptr<Loss> make_binary_focal(const Options& options);
[[nodiscard]] std::unique_ptr<Loss> make_softmax_focal(const Options& options);

/// The number of rows. Errors: usage (sizes of outputs, targets and doutputs do not match).
[[nodiscard]] std::size_t checked_rows(TargetKind kind, std::size_t width, std::span<const float> outputs,
                                       const Targets& targets, std::span<const float> doutputs,
                                       std::size_t outputs_per_target = 1);

}  // namespace lockstep
