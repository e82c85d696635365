// The tables of a run folder, read back.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {

/// Numbers by column; NaN where a cell is empty.
struct CsvTable {
  std::vector<std::string> columns = {};
  std::vector<std::vector<double>> values = {};  ///< [columns][rows]; empty for a column of texts
  std::vector<std::pair<std::size_t, std::string>> texts =
      {};  ///< row and text of the cells of such columns, if not empty
  std::size_t rows = 0;
  std::size_t left_out = 0;  ///< rows that are not whole: torn by a crash, or of something else

  /// Empty where there is no such column.
  [[nodiscard]] std::span<const double> column(std::string_view name) const noexcept;
};

/// Reads a table whose first line names the columns. Columns in `text_columns` hold texts. A row that has another
/// number of cells than the header, or a cell that is no number, is left out and counted. `alive` is called from time
/// to time. Local. Errors: those of read_file.
[[nodiscard]] CsvTable read_csv(const std::string& path, std::span<const std::string_view> text_columns = {},
                                const std::function<void()>& alive = {});

}  // namespace lockstep
