// Data that is larger than memory, looked at before a run: all of it is read once, a part by each rank, and nothing of
// it stays but what it is recognised and normalised by.
#pragma once

#include <functional>
#include <string>

#include "comm/communicator.hpp"
#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "data/open_dataset.hpp"

namespace lockstep {

/// What the pass over a data set is to find and check.
struct PassSettings {
  TargetRule rule = {};
  NormalizeMethod x = NormalizeMethod::none;
  NormalizeMethod y = NormalizeMethod::none;
  std::function<void(const std::string&)> tell = {};  ///< of rank 0: how far it is, now and then
};

struct PassedDataset {
  Dataset data;  ///< its tables hold no rows
  Normalization normalization;
};

/// Passes over a data set that is streamed: finite, as `settings.rule` says, its fingerprint and normalisation, all the
/// same as of a data set in memory, in bounded memory. Each rank reads its part of the rows.
/// Collective. Errors, agreed: data, io.
[[nodiscard]] PassedDataset pass_over(const Communicator& comm, OpenDataset file, const PassSettings& settings);

}  // namespace lockstep
