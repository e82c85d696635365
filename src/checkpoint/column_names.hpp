// Names of columns in a checkpoint: the group /names, with a JSON list of texts for each kind that is known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/column_names.hpp"
#include "core/function_ref.hpp"
#include "io/hdf5.hpp"

namespace lockstep {

/// The texts of a JSON list of nothing else; what lies deeper is not even taken into memory. `what` is for messages.
/// Errors: data.
[[nodiscard]] std::vector<std::string> list_of_texts(const std::string& json, const std::string& what);

/// Writes /names; nothing where no names are known.
void write_column_names(h5::File& file, const ColumnNames& names);

/// Names as they lie in a checkpoint of a net of `inputs` inputs and `outputs` outputs. `text_at` gives the text at a
/// path, unset where there is none. `file` is for messages.
/// Errors: data (no list of texts; not a name for each input; names that do not go together).
[[nodiscard]] ColumnNames read_column_names(const std::string& file, std::int64_t inputs, std::int64_t outputs,
                                            FunctionRef<std::optional<std::string>(const std::string& path)> text_at);

}  // namespace lockstep
