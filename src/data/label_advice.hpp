// Labels that do not count from 0 to the number of classes less 1: what they are likely to mean, and what to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "data/dataset.hpp"

namespace lockstep {

/// How often each value occurs; nothing where there are too many to be labels.
using ValueCounts = std::map<double, std::size_t>;

/// Of one column of numbers that are held.
[[nodiscard]] ValueCounts count_values(const Table& y);
/// Of labels that were counted when data was passed over.
[[nodiscard]] ValueCounts count_values(const LabelCounts& counts);

/// What the labels look like and the remedy: "the labels are 1 to 10, but have to count from 0: store y - 1".
/// `classes`: how many there are to be. Empty: nothing is known to say.
[[nodiscard]] std::string label_advice(const ValueCounts& counts, std::size_t classes);

}  // namespace lockstep
