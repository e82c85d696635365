// Samples that are windows over time, by all ranks: where series end, and the data set of windows.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "data/match_names.hpp"
#include "data/open_dataset.hpp"
#include "data/row_notes.hpp"
#include "data/time_windows.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep {

/// Whether samples are windows of several rows, or have their y behind them. Errors: config (a series without windows).
[[nodiscard]] bool wants_windows(const DataConfig& config);

/// The names of a row, of those that windows have; other names as they are.
[[nodiscard]] KnownNames names_of_rows(KnownNames known, const DataConfig& config);

/// The ranges of rows of `data`, opened from `source`, that no window leaves: each within a file and with one value of
/// data.series. That column is taken out of x where it is one, unless it is to be an input. Every rank reads a part.
/// Collective. Errors, agreed: data, io.
[[nodiscard]] std::vector<Range> take_series(const Communicator& comm, OpenDataset& data, const DataSource& source,
                                             const DataConfig& config);

/// Makes windows of the rows of `data`: x, y and w are those of windows from here on, data.rows the rows of x.
/// Local. Errors: data.
void cut_windows(OpenDataset& data, std::span<const Range> series, const DataConfig& config,
                 std::vector<std::string>& notices);

/// The same by one rank, for a look at some samples: only files end series.
/// Local. Errors: data, config.
void cut_windows_of_files(OpenDataset& data, const DataConfig& config);

/// Windows, with what tells their answers apart: the number of each one's last row, counted from 0.
class NumberedWindows final : public TableReader, public RowNotes {
 public:
  NumberedWindows(std::unique_ptr<TableReader> x, std::shared_ptr<const TimeWindows> windows);

  [[nodiscard]] bool seekable() const noexcept override { return x_->seekable(); }
  void read(Range samples, std::span<std::byte> out) override;
  [[nodiscard]] std::span<const std::uint8_t> bad() const override { return bad_; }
  [[nodiscard]] const RowTexts& kept() const override { return kept_; }

 private:
  std::unique_ptr<TableReader> x_;
  std::shared_ptr<const TimeWindows> windows_;
  std::vector<std::uint8_t> bad_;  // of the windows that were read last: none
  RowTexts kept_;
};

}  // namespace lockstep
