#include "run/run_notices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <span>

#include "core/column_names.hpp"
#include "core/number_text.hpp"
#include "data/number_notices.hpp"
#include "data/open_dataset.hpp"
#include "data/time_windows.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 24U;
constexpr std::size_t kRuns = 8;         // of neighbours, evenly spaced, where not all rows are looked at
constexpr std::size_t kMostClasses = 8;  // classes

// Rows `rows` of a table, or of them runs of neighbours.
struct Sample {
  std::vector<Range> runs;
  std::size_t rows = 0;
  bool all = true;
};

Sample choose_rows(std::size_t rows, std::size_t row_bytes) {
  const std::size_t most = std::max(kMostBytes / std::max<std::size_t>(row_bytes, 1), kRuns);
  if (rows <= most) return {{{0, rows}}, rows, true};
  Sample sample{{}, 0, false};
  const std::size_t length = most / kRuns;
  for (std::size_t run = 0; run < kRuns; ++run) {
    const std::size_t begin = run * (rows - length) / (kRuns - 1);
    sample.runs.push_back({begin, begin + length});
    sample.rows += length;
  }
  return sample;
}

// Copies of the chosen ones of the training samples' rows. `reader`: of streamed ones.
Table take_rows(const Table& table, RowList list, TableReader* reader, const Sample& sample) {
  const std::size_t row_bytes = table.columns * bytes_of(table.type);
  const auto memory = std::make_shared<std::vector<std::byte>>(sample.rows * row_bytes);
  std::span<std::byte> to(*memory);
  for (const Range& run : sample.runs) {
    if (reader != nullptr) {
      reader->read(run, to.first(run.size() * row_bytes));
      to = to.subspan(run.size() * row_bytes);
      continue;
    }
    for (std::size_t row = run.begin; row < run.end; ++row) {
      std::memcpy(to.data(), table.bytes.data() + row_at(list, row) * row_bytes, row_bytes);
      to = to.subspan(row_bytes);
    }
  }
  return {table.type, sample.rows, table.columns, *memory, memory};
}

void add(std::vector<std::string>& notices, std::vector<std::string> more) {
  std::ranges::move(more, std::back_inserter(notices));
}

std::string class_text(std::size_t label, const std::vector<std::string>& names) {
  return label < names.size() ? fmt::format("{} (\"{}\")", label, names[label]) : fmt::format("{}", label);
}

std::vector<std::string> class_notices(const Dataset& train, RowList rows, std::size_t classes) {
  const std::vector<std::int64_t> counts = count_labels(train, classes, rows);
  std::vector<std::size_t> empty;
  for (std::size_t label = 0; label < classes; ++label) {
    if (counts[label] == 0) empty.push_back(label);
  }
  if (empty.size() + 1 == classes) {
    const auto only =
        static_cast<std::size_t>(std::ranges::find_if(counts, [](auto n) { return n > 0; }) - counts.begin());
    return {fmt::format("{}: all training samples are of class {}: there is nothing to tell apart", train.source,
                        class_text(only, train.class_names))};
  }
  if (empty.empty()) return {};
  std::string list;
  for (std::size_t i = 0; i < std::min(empty.size(), kMostClasses); ++i) {
    list += (i == 0 ? "" : ", ") + class_text(empty[i], train.class_names);
  }
  if (empty.size() > kMostClasses) list += fmt::format(" and {} more", empty.size() - kMostClasses);
  const bool from_one = empty.size() == 1 && empty.front() == 0;
  return {fmt::format("{}: {} of {} classes {} no training sample: {}{}", train.source, empty.size(), classes,
                      empty.size() == 1 ? "has" : "have", list,
                      from_one ? "; labels count from 0: where they begin at 1, store y - 1" : "")};
}

// Of 0 and 1, or of shares between, one a column.
std::vector<std::string> binary_notices(const Table& y, const Dataset& train) {
  std::vector<std::string> notices;
  std::vector<double> row(y.columns);
  std::vector<double> least(y.columns, 1);
  std::vector<double> largest(y.columns, 0);
  for (std::size_t r = 0; r < y.rows; ++r) {
    y.row(r, row);
    for (std::size_t c = 0; c < y.columns; ++c) {
      least[c] = std::min(least[c], row[c]);
      largest[c] = std::max(largest[c], row[c]);
    }
  }
  for (std::size_t c = 0; c < y.columns; ++c) {
    if (least[c] < largest[c]) continue;
    notices.push_back(
        fmt::format("{}: all training samples have target {:g}{}: there is nothing to tell apart", train.source,
                    least[c], y.columns == 1 ? "" : fmt::format(" in {} of y", column_text(c, train.columns.targets))));
  }
  return notices;
}

std::vector<std::string> schedule_notices(const RunConfig& run, std::uint64_t total_steps) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const Component& schedule = run.optimizer.schedule;
  const auto warmup = static_cast<std::uint64_t>(schedule.options.integer_in("warmup_steps", 0, most, 0));
  const std::string steps = count_text(total_steps, "step");
  if (warmup >= total_steps && warmup > 1) {
    return {
        fmt::format("optimizer.schedule.warmup_steps is {}, and the run has {}: the learning rate rises to the end, "
                    "to {:.4g} of {:.4g}",
                    warmup, steps, *run.optimizer.lr * static_cast<double>(total_steps) / static_cast<double>(warmup),
                    *run.optimizer.lr)};
  }
  if (schedule.type != "step") return {};
  const auto size = static_cast<std::uint64_t>(schedule.options.integer_in("step_size", 1, most));
  if (size < total_steps - warmup) return {};
  return {
      fmt::format("optimizer.schedule.step_size is {}, and the run has {}: the learning rate never falls "
                  "(lengths are in steps, not epochs)",
                  size, steps)};
}

}  // namespace

std::vector<std::string> run_notices(const EnginePlan& plan, const RunData& data, std::uint64_t total_steps) {
  std::vector<std::string> notices;
  const Dataset& train = data.train;
  const RowList rows = data.split.train;
  const auto look = [&](const Table& table, TableReader* reader) {
    const Sample sample = choose_rows(data.train_samples(), table.columns * bytes_of(table.type));
    return std::pair{take_rows(table, rows, reader, sample), sample.all};
  };
  // Of windows over time their rows are looked at, of which each column has one scaling.
  const std::shared_ptr<const TimeWindows>& windows = train.streamed() ? train.file->windows : train.x.windows;
  const Table rows_of_x = train.streamed() ? train.x : train.x.base();
  if (windows) {
    TableReader* const reader = train.streamed() ? train.file->rows.get() : nullptr;
    const TableHeader* const header = reader != nullptr ? &reader->header() : nullptr;
    const Table table = header != nullptr ? Table{header->type, header->rows, header->columns, {}, {}} : rows_of_x;
    const Sample sample = choose_rows(table.rows, table.columns * bytes_of(table.type));
    const Table taken = take_rows(table, {}, reader, sample);
    const auto of_row = [&](const std::vector<double>& all) {
      return std::vector<double>(all.begin(),
                                 all.begin() + static_cast<std::ptrdiff_t>(all.empty() ? 0 : table.columns));
    };
    const ColumnScaling scaling{of_row(data.normalization.x.shift), of_row(data.normalization.x.scale)};
    const std::vector<std::string> names = row_names(train.columns.features, windows->rows());
    add(notices, number_notices({.rows = taken,
                                 .scaling = scaling,
                                 .place = "x of " + train.source,
                                 .names = names,
                                 .are_targets = false,
                                 .all = sample.all}));
  } else {
    const auto [x, all_x] = look(train.x, train.streamed() ? train.file->x.get() : nullptr);
    add(notices, number_notices({.rows = x,
                                 .scaling = data.normalization.x,
                                 .place = "x of " + train.source,
                                 .names = train.columns.features,
                                 .are_targets = false,
                                 .all = all_x}));
  }
  if (plan.parts.loss->targets() == TargetKind::labels) {
    add(notices, class_notices(train, rows, plan.parts.model.outputs()));
  } else {
    const auto [y, all_y] = look(train.y, train.streamed() ? train.file->y.get() : nullptr);
    const bool binary = plan.parts.loss->task() == Task::binary;
    if (!binary) {
      add(notices, number_notices({.rows = y,
                                   .scaling = data.normalization.y,
                                   .place = "y of " + train.source,
                                   .names = train.columns.targets,
                                   .are_targets = true,
                                   .all = all_y}));
    }
    if (binary && all_y) add(notices, binary_notices(y, train));
  }
  add(notices, schedule_notices(plan.run, total_steps));
  return notices;
}

}  // namespace lockstep
