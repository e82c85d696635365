#include "feed/load_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/byte_size.hpp"
#include "feed/windowed_data.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kOfOrder = 2 * sizeof(std::uint32_t);     // beside each row of a window
constexpr std::size_t kCacheOfChunks = std::size_t{32} << 20U;  // see io/hdf5_rows.cpp
constexpr double kSlow = 2;                                     // times that a chunk is read in an epoch

std::size_t bytes_from(const std::string& text, const char* key) {
  const std::optional<std::size_t> bytes = parse_bytes(text);
  if (bytes) return *bytes;
  throw Error(ErrorKind::config,
              fmt::format("{}: expected an amount of memory, like \"512MiB\" or \"4GB\", found \"{}\"", key, text));
}

std::size_t window_rows_of(const RunConfig& run, const OpenDataset& train) {
  const std::size_t row = row_bytes_of(train) + kOfOrder;
  return std::max<std::size_t>(bytes_from(run.data.window, "data.window") / 2 / row, 1);
}

void expect_seekable(const OpenDataset& file, const DataConfig& config) {
  for (const TableReader* table : tables_of(file)) {
    if (table->seekable()) continue;
    throw Error(ErrorKind::data,
                fmt::format("{} is packed as a whole, so its rows cannot be read one by one, as data.load = \"stream\" "
                            "needs{}; unpack it (gunzip), or set data.load = \"memory\"",
                            table->header().name,
                            config.load == "auto"
                                ? fmt::format(" (it is larger than data.memory_limit = \"{}\")", config.memory_limit)
                                : ""));
  }
}

// How often the chunks of a table are read in an epoch: blocks come in another order than chunks.
double times_read(const TableHeader& header, std::size_t block) {
  if (header.chunk_bytes == 0 || block % header.chunk_rows == 0 || header.bytes() <= kCacheOfChunks) return 1;
  return static_cast<double>(header.chunk_rows + block - 1) / static_cast<double>(block);
}

}  // namespace

bool wants_stream(const DataConfig& config, std::size_t bytes) {
  if (config.load != "auto") return config.load == "stream";
  return bytes > bytes_from(config.memory_limit, "data.memory_limit");
}

StreamPlan make_stream_plan(const RunConfig& run, const OpenDataset& train) {
  return StreamPlan({.samples = train.x->header().rows,
                     .batch = static_cast<std::size_t>(run.train.batch),
                     .shards = static_cast<std::size_t>(*run.train.shards),
                     .block = static_cast<std::size_t>(*run.data.block),
                     .window_rows = window_rows_of(run, train)});
}

void resolve_load(const Communicator& comm, RunConfig& run, std::vector<std::string>& notices) {
  std::optional<OpenDataset> train;
  std::optional<OpenDataset> test;
  comm.together([&] {
    if (run.data.train.empty()) throw Error(ErrorKind::config, "data.train: a run needs training data");
    (void)bytes_from(run.data.memory_limit, "data.memory_limit");
    (void)bytes_from(run.data.window, "data.window");
    train.emplace(open_dataset(run.data.train, {}));
    if (!run.data.test.empty()) test.emplace(open_dataset(run.data.test, {}));
  });
  bool windows = false;
  comm.together([&] { windows = wants_windows(run.data) && run.data.load != "memory"; });
  if (windows) {
    std::vector<std::string> told;  // when the data is read
    const std::vector<Range> series = take_series(comm, *train, run.data.train, run.data);
    comm.together([&] { cut_windows(*train, series, run.data, told); });
  }
  comm.together([&] {
    if (run.data.load == "memory") return;
    const std::size_t bytes = bytes_of(*train) + (test ? bytes_of(*test) : 0);
    const bool streams = wants_stream(run.data, bytes);
    if (streams) {
      if (run.data.validation > 0) {
        throw Error(
            ErrorKind::config,
            fmt::format("data.validation: no samples of streamed data can be held out{}; give data.test, or set "
                        "data.load = \"memory\"",
                        run.data.load == "auto" ? " (it is larger than data.memory_limit)" : ""));
      }
      expect_seekable(*train, run.data);
      if (test) expect_seekable(*test, run.data);
    }
    if (streams && run.data.load == "auto") {
      notices.push_back(fmt::format("the data has {:.1f} MB, more than data.memory_limit = \"{}\": it is streamed",
                                    megabytes(bytes), run.data.memory_limit));
    }
    run.data.load = streams ? "stream" : "memory";
    if (!streams) return;
    const TableHeader& x = train->x->header();
    if (!run.data.block) {
      run.data.block = static_cast<std::int64_t>(
          choose_block(x.rows, static_cast<std::size_t>(*run.train.shards), window_rows_of(run, *train), x.chunk_rows));
    }
    const auto block = static_cast<std::size_t>(*run.data.block);
    for (const TableReader* table : tables_of(*train)) {
      const TableHeader& header = table->header();
      const double times = times_read(header, block);
      if (times <= kSlow) continue;
      notices.push_back(
          fmt::format("{} keeps {} rows together in chunks of {:.1f} MB, but blocks have {} samples: each chunk is "
                      "read {:.0f} times "
                      "an epoch. Faster: chunks of about {} rows with all columns (h5repack), or a larger data.window",
                      header.name, header.chunk_rows, megabytes(header.chunk_bytes), block, times, block));
    }
  });
  // What rank 0 sees counts for all; other data elsewhere is found out later.
  const std::string choice = comm.broadcast_text(fmt::format("{} {}", run.data.load, run.data.block.value_or(0)));
  const std::size_t space = choice.find(' ');
  run.data.load = choice.substr(0, space);
  std::int64_t block = 0;
  std::from_chars(choice.data() + space + 1, choice.data() + choice.size(), block);
  if (block > 0) run.data.block = block;
}

}  // namespace lockstep
