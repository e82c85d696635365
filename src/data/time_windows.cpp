#include "data/time_windows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "core/number_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kWindowBytes = std::size_t{1} << 20U;
constexpr std::size_t kMostGap = 64;  // rows between windows that are read rather than left out

/// Some of the rows of another table for each sample: those from the first on, as many as are asked for.
class RowsOfWindows final : public TableReader {
 public:
  using First = std::size_t (TimeWindows::*)(std::size_t sample) const noexcept;

  RowsOfWindows(std::shared_ptr<TableReader> rows, std::shared_ptr<const TimeWindows> windows, First first,
                std::size_t many)
      : rows_(std::move(rows)), windows_(std::move(windows)), first_(first), many_(many) {
    header_ = rows_->header();
    header_.rows = windows_->samples();
    header_.columns *= many_;
    header_.shape = {header_.rows, header_.columns};
    header_.files = {};
    notices_ = rows_->notices();
  }

  [[nodiscard]] bool seekable() const noexcept override { return rows_->seekable(); }

  void read(Range samples, std::span<std::byte> out) override {
    if (samples.begin > samples.end || samples.end > header_.rows ||
        out.size() != samples.size() * header_.row_bytes()) {
      throw Error(ErrorKind::usage, header_.name + ": no such windows, or memory of another size");
    }
    const std::size_t row_bytes = rows_->header().row_bytes();
    const std::size_t most = std::max<std::size_t>(kWindowBytes / row_bytes, many_);
    for (std::size_t begin = samples.begin; begin < samples.end;) {
      // Windows that lie close together, in rows that are read in one go.
      const std::size_t first = first_row(begin);
      std::size_t end = begin + 1;
      while (end < samples.end && first_row(end) + many_ - first <= most &&
             first_row(end) <= first_row(end - 1) + many_ + kMostGap) {
        ++end;
      }
      const Range rows{first, first_row(end - 1) + many_};
      memory_.resize(rows.size() * row_bytes);
      rows_->read(rows, memory_);
      for (std::size_t sample = begin; sample < end; ++sample) {
        std::memcpy(out.data() + (sample - samples.begin) * header_.row_bytes(),
                    memory_.data() + (first_row(sample) - first) * row_bytes, header_.row_bytes());
      }
      begin = end;
    }
  }

 private:
  [[nodiscard]] std::size_t first_row(std::size_t sample) const noexcept { return ((*windows_).*first_)(sample); }

  std::shared_ptr<TableReader> rows_;  // of windows of x, shared with the data set
  std::shared_ptr<const TimeWindows> windows_;
  First first_;
  std::size_t many_;
  std::vector<std::byte> memory_;
};

}  // namespace

TimeWindows::TimeWindows(const WindowShape& shape, std::span<const Range> series, bool with_targets,
                         const std::string& source)
    : shape_(shape), with_targets_(with_targets) {
  const std::size_t needed = shape.rows + (with_targets ? shape.horizon : 0);
  std::size_t longest = 0;
  for (const Range& rows : series) {
    longest = std::max(longest, rows.size());
    if (rows.size() < needed) {
      ++short_;
      continue;
    }
    const std::size_t samples = (rows.size() - needed) / shape.stride + 1;
    series_.push_back({.first_sample = samples_, .samples = samples, .first_row = rows.begin});
    samples_ += samples;
  }
  if (samples_ == 0) {
    throw Error(
        ErrorKind::data,
        fmt::format("{}: a window needs {} of one file or series (data.window_rows, and data.window_horizon for "
                    "its y), the longest has {}",
                    source, count_text(needed, "row"), longest));
  }
  if (samples_ > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ErrorKind::data, fmt::format("{}: {} windows; at most 2^32 - 1 are taken", source, samples_));
  }
}

std::size_t TimeWindows::begin(std::size_t sample) const noexcept {
  const auto behind = std::ranges::upper_bound(series_, sample, {}, &Series::first_sample);
  const Series& series = *(behind - 1);
  return series.first_row + (sample - series.first_sample) * shape_.stride;
}

Split TimeWindows::split(double share) const {
  Split split;
  if (share == 0) return split;
  const std::size_t reach = shape_.rows + (with_targets_ ? shape_.horizon : 0);
  for (const Series& series : series_) {
    const std::size_t held = share_of(share, series.samples);
    const std::size_t first = series.samples - held;  // that is held out
    for (std::size_t i = 0; i < series.samples; ++i) {
      const auto sample = static_cast<std::uint32_t>(series.first_sample + i);
      if (i >= first) {
        split.validation.push_back(sample);
      } else if (held == 0 || i * shape_.stride + reach <= first * shape_.stride) {
        split.train.push_back(sample);
      }
    }
  }
  if (split.validation.empty() || split.train.empty()) {
    throw Error(ErrorKind::config,
                fmt::format("data.validation: {} of the windows of each file or series, {}, leaves {} share",
                            number_text(share), count_text(samples_, "window"),
                            split.train.empty() ? "none to train on; take a smaller"
                                                : "none to validate with; take a "
                                                  "larger"));
  }
  return split;
}

std::vector<std::uint32_t> TimeWindows::rows_of(RowList samples) const {
  std::vector<std::uint32_t> rows;
  std::size_t next = 0;  // the first row that is not there yet
  for (const std::uint32_t sample : samples) {
    const std::size_t first = begin(sample);
    for (std::size_t row = std::max(first, next); row < first + shape_.rows; ++row) {
      rows.push_back(static_cast<std::uint32_t>(row));
    }
    next = std::max(next, first + shape_.rows);
  }
  return rows;
}

std::vector<std::string> window_names(const std::vector<std::string>& names, std::size_t rows) {
  std::vector<std::string> all;
  for (std::size_t row = rows; row-- > 0;) {
    for (const std::string& name : names) all.push_back(fmt::format("{}[{}{}]", name, row == 0 ? "" : "-", row));
  }
  return all;
}

std::vector<std::string> row_names(const std::vector<std::string>& names, std::size_t rows) {
  if (names.size() % rows != 0) return names;
  std::vector<std::string> of_row(names.end() - static_cast<std::ptrdiff_t>(names.size() / rows), names.end());
  for (std::string& name : of_row) {
    if (name.ends_with("[0]")) name.resize(name.size() - 3);
  }
  return of_row;
}

std::unique_ptr<TableReader> read_windows(std::shared_ptr<TableReader> rows,
                                          std::shared_ptr<const TimeWindows> windows) {
  const std::size_t many = windows->rows();
  return std::make_unique<RowsOfWindows>(std::move(rows), std::move(windows), &TimeWindows::begin, many);
}

std::unique_ptr<TableReader> read_targets(std::unique_ptr<TableReader> rows,
                                          std::shared_ptr<const TimeWindows> windows) {
  return std::make_unique<RowsOfWindows>(std::move(rows), std::move(windows), &TimeWindows::target, 1);
}

}  // namespace lockstep
