// A CSV table as data for a net whose checkpoint has a recipe, by all ranks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "import/csv_samples.hpp"
#include "net/stored_net.hpp"

namespace lockstep::cli {

/// Whether `file` is to be read as a table of text: it is there, and none of the formats that hold numbers; of nets
/// that have no recipe, where its name says so too. Local.
[[nodiscard]] bool is_csv(const StoredNet& stored, const std::string& file);

/// Opens `file` by the recipe of `stored` and finds its rows, a part by each rank. Adds to `notices` what its columns
/// have to be told of. Collective. Errors, agreed: data (the net has no recipe; see CsvSamples), io.
[[nodiscard]] std::unique_ptr<CsvSamples> open_csv(const Communicator& comm, const StoredNet& stored,
                                                   const std::string& file, const CsvReading& reading,
                                                   std::vector<std::string>& notices);

/// Where ranks may have read rows more than once, or the same ones: counts the unknown texts among its `rows` rows
/// anew, each once. Collective. Errors, agreed: those of its readers.
void count_unknown_once(const Communicator& comm, CsvSamples& samples, std::size_t rows);

/// What all ranks have met in it. Collective.
[[nodiscard]] CsvMet met_by_all(const Communicator& comm, const CsvSamples& samples);

/// Sentences on categories that the net does not know, of `rows` rows of `samples`.
[[nodiscard]] std::vector<std::string> unknown_notices(const CsvMet& met, const std::string& file, std::size_t rows);

}  // namespace lockstep::cli
