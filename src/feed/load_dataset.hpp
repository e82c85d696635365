// Reading a data set with all ranks: it lies once a host, in memory that the host's ranks share, and each of them
// reads, checks and hashes a part of it.
#pragma once

#include <span>
#include <string>

#include "comm/communicator.hpp"
#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "data/open_dataset.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep {

/// What read_dataset gives, to the bit, for all ranks; errors too read as if one rank had read alone. The memory goes
/// with the last copy of the tables, which is collective over the communicator (see NodeWindow): every rank must let go
/// of it at the same place.
/// Collective. Errors, agreed: those of read_dataset; data (the ranks see unlike files); config (a host's shared memory
/// is too small).
[[nodiscard]] Dataset load_dataset(const Communicator& comm, const DataSource& source,
                                   std::span<const std::string> folders);

/// The same of what every rank has opened.
[[nodiscard]] Dataset load_dataset(const Communicator& comm, OpenDataset opened);

/// Checks that the ranks of a host have opened one file: they read it together, and were it not the same, a part of
/// each would be taken. Collective. Errors: data, agreed.
void check_same_files(const Communicator& comm, const OpenDataset& opened);

/// Checks that every host has read the same samples.
/// Collective. Errors: data, agreed, naming the first rank that has others than rank 0.
void check_same_data(const Communicator& comm, const Dataset& data);

/// fit_scaling of a table that every rank sees: the ranks take a part of the columns each; the same bits.
/// Collective.
[[nodiscard]] ColumnScaling fit_scaling(const Communicator& comm, NormalizeMethod method, const Table& table,
                                        RowList rows = {}, const ValueRule& values = {});

}  // namespace lockstep
