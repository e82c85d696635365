// Data for a net, by all ranks: opened, and put into the order of the data that the net was trained on
// (data/match_names.hpp).
#pragma once

#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "comm/communicator.hpp"
#include "data/dataset.hpp"
#include "data/match_names.hpp"
#include "model/loss.hpp"

namespace lockstep {

/// The names that a net of this loss knows: of its training data; of its checkpoint `path`. Classes only where the loss
/// has some.
[[nodiscard]] KnownNames known_names(const Dataset& train, const Loss& loss);
[[nodiscard]] KnownNames known_names(const CheckpointInfo& info, const Loss& loss, const std::string& path);

/// Matches what every rank has opened, and adds to `notices` what people should know of it, beginning with what its
/// readers have to tell. Where categories are not
/// known, all rows are read once more, by all ranks, to count those that have them.
/// Collective. Errors, agreed: data (names that do not match; the ranks see unlike files), io.
void match_names(const Communicator& comm, OpenDataset& data, const KnownNames& known,
                 std::vector<std::string>& notices);

/// open_dataset on every rank, and match_names; samples are windows over time where `config` says so. Collective.
/// Errors, agreed: those of these.
[[nodiscard]] OpenDataset open_matched(const Communicator& comm, const DataSource& source, const DataConfig& config,
                                       const KnownNames& known, std::vector<std::string>& notices);

/// The same of samples without answers, for open_samples.
[[nodiscard]] OpenDataset open_matched_samples(const Communicator& comm, const DataSource& source,
                                               const DataConfig& config, const KnownNames& known,
                                               std::vector<std::string>& notices);

}  // namespace lockstep
