// Class weights of a loss as a run names them: a list of numbers, or "balanced", which stands for numbers that only the
// labels of the training data give.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lockstep/run_config.hpp"

namespace lockstep {

/// Whether `loss` says class_weights = "balanced". A loss that is made of it has no weights: put numbers there first.
[[nodiscard]] bool wants_balance(const Component& loss);

/// Puts n / (classes * count) in the place of "balanced": then every class counts as much in all.
/// `counts` [classes] of the n labels of the training data `source`; or what the samples of a class weigh.
/// Errors: config (a class that does not occur, or weighs 0 or less).
void balance(Component& loss, std::span<const double> counts, const std::string& source);

/// Where `loss` wants balance and `kept` has a list, takes that list.
void take_class_weights(Component& loss, const Component& kept);

/// `loss` without class weights, for those who see a part of the labels only.
[[nodiscard]] Component without_class_weights(const Component& loss);

/// The list that the options of a loss give; empty without one, or with "balanced".
/// Errors: config (neither of the two; numbers that are no weights).
[[nodiscard]] std::vector<double> given_class_weights(const Options& options);

/// Checks that `weights` are from 0 to a number so large that it makes no sense. `name` is for messages. Errors:
/// config.
void check_weights(std::span<const double> weights, const std::string& name);

}  // namespace lockstep
