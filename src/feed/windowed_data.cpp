#include "feed/windowed_data.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "config/data_place.hpp"
#include "core/number_text.hpp"
#include "data/time_windows.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kSeriesBytes = std::size_t{1} << 20U;

WindowShape shape_of(const DataConfig& config) {
  return {.rows = static_cast<std::size_t>(config.window_rows),
          .stride = static_cast<std::size_t>(config.window_stride),
          .horizon = static_cast<std::size_t>(config.window_horizon)};
}

// "FILE.h5:/train" and "station" make "FILE.h5:/train/station"; a place of its own stays.
std::string beside(const std::string& group, const std::string& name) {
  if (name.find(":/") != std::string::npos) return name;
  const DataPlace place = find_place(group);
  if (place.group.empty()) return group + ":/" + name;
  return group + (group.ends_with('/') ? "" : "/") + name;
}

// The data set that says which series a row is of.
std::unique_ptr<TableReader> open_series(const OpenDataset& data, const DataSource& source, const std::string& name) {
  if (!source.y.empty() && name.find(":/") == std::string::npos) {
    throw Error(ErrorKind::data,
                fmt::format("data.series: \"{}\" is no variable of x of {}; name a data set, \"FILE.nc:/{}\"", name,
                            data.source, name));
  }
  DataSource places{.x = beside(source.x, name)};
  if (name.find(":/") == std::string::npos) {
    for (const std::string& group : source.more) places.more.push_back(beside(group, name));
  }
  std::unique_ptr<TableReader> series;
  try {
    series = std::move(open_samples(places).x);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("data.series: \"{}\" is neither a feature of {} nor a data set: {}", name,
                                          data.source, error.what()));
  }
  const TableHeader& header = series->header();
  if (header.rows != data.x->header().rows || header.columns != 1) {
    throw Error(ErrorKind::data,
                fmt::format("data.series: {} has {} rows of {} numbers; expected one number for each of "
                            "the {} rows of x",
                            header.name, header.rows, header.columns, data.x->header().rows));
  }
  return series;
}

// Rows of `rows` at which column `column` of the table is another than in the row before.
std::vector<std::size_t> changes(TableReader& table, std::size_t column, Range rows,
                                 const std::function<void()>& alive) {
  std::vector<std::size_t> found;
  const TableHeader& header = table.header();
  const std::size_t width = bytes_of(header.type);
  const std::size_t piece = std::max<std::size_t>(kSeriesBytes / header.row_bytes(), 1);
  std::vector<std::byte> memory;
  std::vector<std::byte> before;  // of the row before
  for (std::size_t begin = rows.begin == 0 ? 0 : rows.begin - 1; begin < rows.end; begin += piece) {
    const Range part{begin, std::min(begin + piece, rows.end)};
    memory.resize(part.size() * header.row_bytes());
    table.read(part, memory);
    for (std::size_t row = part.begin; row < part.end; ++row) {
      const std::byte* value = memory.data() + (row - part.begin) * header.row_bytes() + column * width;
      if (!before.empty() && std::memcmp(before.data(), value, width) != 0) found.push_back(row);
      before.assign(value, value + width);
    }
    alive();
  }
  return found;
}

}  // namespace

bool wants_windows(const DataConfig& config) {
  const bool wanted = config.window_rows > 1 || config.window_stride > 1 || config.window_horizon > 0;
  if (!wanted && !config.series.empty()) {
    throw Error(ErrorKind::config, "data.series says where windows end, but data.window_rows is 1, so there are none");
  }
  return wanted;
}

KnownNames names_of_rows(KnownNames known, const DataConfig& config) {
  if (wants_windows(config)) known.columns.features = row_names(known.columns.features, shape_of(config).rows);
  return known;
}

namespace {

// The ends of the files that x is of.
std::vector<std::size_t> file_ends(const OpenDataset& data) {
  std::vector<std::size_t> ends;
  if (const JoinedFiles files = data.x->header().files) {
    for (const JoinedFile& file : *files) ends.push_back(file.rows.end);
  }
  return ends;
}

std::vector<Range> ranges_of(std::vector<std::size_t> ends, std::size_t rows) {
  ends.push_back(rows);
  std::ranges::sort(ends);
  std::vector<Range> ranges;
  for (std::size_t begin = 0; const std::size_t end : ends) {
    if (end > begin) ranges.push_back({begin, end});
    begin = std::max(begin, end);
  }
  return ranges;
}

// Takes the feature that says which series a row is of out of x, unless it is to be an input.
void drop_series(OpenDataset& data, std::size_t column, const DataConfig& config) {
  std::vector<std::string>& features = data.columns.features;
  if (config.series_input) return;
  if (features.size() == 1) {
    throw Error(ErrorKind::data, fmt::format("data.series: '{}' is the only feature of {}, so nothing is left to learn "
                                             "from; or set data.series_input = true",
                                             config.series, data.source));
  }
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < features.size(); ++i) {
    if (i != column) others.push_back(i);
  }
  data.x = choose_columns(std::move(data.x), std::move(others));
  features.erase(features.begin() + static_cast<std::ptrdiff_t>(column));
}

}  // namespace

std::vector<Range> take_series(const Communicator& comm, OpenDataset& data, const DataSource& source,
                               const DataConfig& config) {
  const std::size_t rows = data.x->header().rows;
  std::vector<std::size_t> ends = file_ends(data);
  if (!config.series.empty()) {
    std::string own;
    comm.together(
        [&] {
          const std::vector<std::string>& features = data.columns.features;
          const auto named = std::ranges::find(features, config.series);
          const bool is_feature = named != features.end();
          const auto column = static_cast<std::size_t>(named - features.begin());
          std::unique_ptr<TableReader> of_series = is_feature ? nullptr : open_series(data, source, config.series);
          TableReader& table = is_feature ? *data.x : *of_series;
          const Range mine =
              part_of(rows, static_cast<std::size_t>(comm.rank()), static_cast<std::size_t>(comm.size()));
          for (const std::size_t row : changes(table, is_feature ? column : 0, mine, [&] { comm.pulse().beat(); })) {
            own += fmt::format("{} ", row);
          }
          if (is_feature) drop_series(data, column, config);
        },
        Blame::host);
    for (const std::string& text : comm.gather_texts(own)) {
      for (const char* at = text.data(); at < text.data() + text.size(); ++at) {
        at = std::from_chars(at, text.data() + text.size(), ends.emplace_back()).ptr;
      }
    }
  }
  return ranges_of(std::move(ends), rows);
}

void cut_windows_of_files(OpenDataset& data, const DataConfig& config) {
  if (!wants_windows(config)) return;
  const std::vector<Range> series = ranges_of(file_ends(data), data.x->header().rows);
  const auto named = std::ranges::find(data.columns.features, config.series);
  if (named != data.columns.features.end()) {
    drop_series(data, static_cast<std::size_t>(named - data.columns.features.begin()), config);
  }
  std::vector<std::string> untold;
  cut_windows(data, series, config, untold);
}

void cut_windows(OpenDataset& data, std::span<const Range> series, const DataConfig& config,
                 std::vector<std::string>& notices) {
  const WindowShape shape = shape_of(config);
  const auto windows = std::make_shared<const TimeWindows>(shape, series, data.y != nullptr, data.source);
  notices.push_back(fmt::format(
      "{}: samples are {} of {} in {} series{}", data.source, count_text(windows->samples(), "window"),
      count_text(shape.rows, "row"), windows->series(),
      windows->short_series() == 0 ? ""
                                   : fmt::format(", of which {} have fewer than the {} rows that a window needs",
                                                 windows->short_series(), shape.rows + (data.y ? shape.horizon : 0))));
  data.columns.features = window_names(data.columns.features, shape.rows);
  data.windows = windows;
  data.rows = std::move(data.x);
  data.x = read_windows(data.rows, windows);
  if (data.y) data.y = read_targets(std::move(data.y), windows);
  if (data.w) data.w = read_targets(std::move(data.w), windows);
}

NumberedWindows::NumberedWindows(std::unique_ptr<TableReader> x, std::shared_ptr<const TimeWindows> windows)
    : x_(std::move(x)), windows_(std::move(windows)) {
  header_ = x_->header();
  notices_ = x_->notices();
}

void NumberedWindows::read(Range samples, std::span<std::byte> out) {
  x_->read(samples, out);
  bad_.assign(samples.size(), 0);
  kept_.clear();
  for (std::size_t sample = samples.begin; sample < samples.end; ++sample) {
    kept_.append(fmt::format("{},", windows_->last(sample)));
    kept_.end_row();
  }
}

}  // namespace lockstep
