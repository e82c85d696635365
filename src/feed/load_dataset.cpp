#include "feed/load_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "comm/node_window.hpp"
#include "data/file_prints.hpp"
#include "data/fingerprint.hpp"
#include "data/open_dataset.hpp"
#include "data/sample_weights.hpp"
#include "data/time_windows.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 28U;

// Where x, y, w and the hashes of their blocks lie in a host's memory [bytes]: each on a cache line of its own.
struct Plan {
  Range x, y, w, hashes;
  std::size_t blocks = 0;

  explicit Plan(const OpenDataset& opened) {
    for (const TableReader* table : stored_tables_of(opened)) blocks += fingerprint_blocks(table->header().bytes());
    x = {0, stored_tables_of(opened).front()->header().bytes()};
    y = behind(x, opened.y->header().bytes());
    w = behind(y, opened.w ? opened.w->header().bytes() : 0);
    hashes = behind(w, blocks * sizeof(HashBytes));
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return hashes.end; }

 private:
  static Range behind(Range before, std::size_t bytes) {
    const std::size_t begin = (before.end + kCacheLine - 1) / kCacheLine * kCacheLine;
    return {begin, begin + bytes};
  }
};

class Loader {
 public:
  Loader(const Communicator& comm, OpenDataset opened)
      : comm_(comm),
        opened_(std::move(opened)),
        plan_(opened_),
        window_(std::make_shared<const NodeWindow>(
            comm, plan_.bytes(), mine(plan_.bytes()),
            WindowUse{opened_.source,
                      "fewer or smaller samples (uint8 rather than float), or, to train, data.load = \"stream\""})) {}

  Dataset load() {
    TableReader& x = *stored_tables_of(opened_).front();
    Dataset data{opened_.source, table(x, plan_.x), table(*opened_.y, plan_.y), opened_.class_names, {}};
    data.columns = opened_.columns;
    if (opened_.w) data.w = table(*opened_.w, plan_.w);
    if (opened_.in_turn) {
      in_parts([&] { read_in_turn(); });
    } else {
      // One after the other, so that the error of the lowest rank is the one that a single rank meets first.
      in_parts([&] { read(x, plan_.x); });
      in_parts([&] { read(*opened_.y, plan_.y); });
      if (opened_.w) in_parts([&] { read(*opened_.w, plan_.w); });
    }
    const TableHeader& y = opened_.y->header();
    in_parts([&] { check_finite(data.x, x.header().name, mine(data.x.rows)); });
    in_parts([&] { check_finite(data.y, y.name, mine(data.y.rows), 0, y.may_miss); });
    if (opened_.w) in_parts([&] { check_finite(data.w, opened_.w->header().name, mine(data.w.rows)); });
    if (y.may_miss) count_missing_targets(data);
    const std::span hashes(reinterpret_cast<HashBytes*>(memory(plan_.hashes).data()), plan_.blocks);
    in_parts([&] {
      const Range blocks = mine(plan_.blocks);
      hash_blocks(data.x, data.y, blocks, hashes.subspan(blocks.begin, blocks.size()), data.w);
    });
    data.fingerprint = fingerprint(data.x, data.y, hashes, data.w);
    check_same_data(comm_, data);
    data.files = print_files(data);
    if (opened_.windows == nullptr) return data;
    data.x.windows = opened_.windows;  // from here on its rows are windows
    data.x.rows = opened_.windows->samples();
    data.x.columns *= opened_.windows->rows();
    return data;
  }

 private:
  // Every host has all rows, so all ranks share the counting.
  void count_missing_targets(Dataset& data) const {
    std::vector<std::int64_t> missing(data.y.columns, 0);
    count_missing(data.y,
                  part_of(data.y.rows, static_cast<std::size_t>(comm_.rank()), static_cast<std::size_t>(comm_.size())),
                  missing);
    comm_.sum(missing);
    set_missing(data, std::move(missing));
  }

  // This rank's part of what its host has to do.
  [[nodiscard]] Range mine(std::size_t count) const {
    return part_of(count, static_cast<std::size_t>(comm_.node_rank()), static_cast<std::size_t>(comm_.node_size()));
  }

  // Runs this rank's part; afterwards every rank sees what all ranks of its host have written. An error is the file's.
  void in_parts(FunctionRef<void()> part) const {
    comm_.pulse().enter(Phase::reading);
    comm_.together(part, Blame::host);
  }

  // Every rank adds a part of the rows, on whichever host.
  [[nodiscard]] std::vector<std::string> print_files(const Dataset& data) const {
    FilePrints prints(stored_tables_of(opened_).front()->header().files);
    const Range rows =
        part_of(data.x.rows, static_cast<std::size_t>(comm_.rank()), static_cast<std::size_t>(comm_.size()));
    std::size_t number = 0;
    for (const Table* table : {&data.x, &data.y, &data.w}) {
      if (table->rows != data.x.rows) continue;  // no weights, or of windows over time
      const std::size_t row_bytes = table->columns * bytes_of(table->type);
      prints.add(number++,
                 {table->type, rows.size(), table->columns,
                  table->bytes.subspan(rows.begin * row_bytes, rows.size() * row_bytes)},
                 rows.begin);
    }
    std::vector<std::int64_t> words = prints.words();
    if (!words.empty()) comm_.sum(words);
    return prints.texts(words);
  }

  void read(TableReader& reader, Range place) const {
    const TableHeader& header = reader.header();
    const Range all{0, header.rows};
    const Range rows = reader.seekable() ? mine(header.rows) : comm_.node_rank() == 0 ? all : Range{};
    // A slow disk is no dead one: a sign of life behind every piece.
    const std::size_t piece = reader.seekable()
                                  ? std::max<std::size_t>(kPieceBytes / std::max<std::size_t>(header.row_bytes(), 1), 1)
                                  : rows.size();
    for (std::size_t begin = rows.begin; begin < rows.end; begin += piece) {
      const Range part{begin, std::min(begin + piece, rows.end)};
      reader.read(part, memory(place).subspan(part.begin * header.row_bytes(), part.size() * header.row_bytes()));
      comm_.pulse().beat();
    }
  }

  void read_in_turn() const {
    constexpr std::size_t bytes = std::size_t{1} << 23U;  // of x, y and w
    const Range rows = mine(opened_.x->header().rows);
    const std::size_t piece = std::max<std::size_t>(bytes / std::max<std::size_t>(row_bytes_of(opened_), 1), 1);
    for (std::size_t begin = rows.begin; begin < rows.end; begin += piece) {
      const Range part{begin, std::min(begin + piece, rows.end)};
      for (const auto& [reader, place] :
           {std::pair{opened_.x.get(), plan_.x}, {opened_.y.get(), plan_.y}, {opened_.w.get(), plan_.w}}) {
        if (reader == nullptr) continue;
        const std::size_t row_bytes = reader->header().row_bytes();
        reader->read(part, memory(place).subspan(part.begin * row_bytes, part.size() * row_bytes));
      }
      comm_.pulse().beat();
    }
  }

  [[nodiscard]] Table table(const TableReader& reader, Range place) const {
    const TableHeader& header = reader.header();
    return {header.type, header.rows, header.columns, memory(place), window_};
  }

  [[nodiscard]] std::span<std::byte> memory(Range place) const {
    return window_->memory().subspan(place.begin, place.size());
  }

  const Communicator& comm_;
  OpenDataset opened_;
  Plan plan_;
  std::shared_ptr<const NodeWindow> window_;  // shared with the tables of the data set
};

}  // namespace

void check_same_files(const Communicator& comm, const OpenDataset& opened) {
  const Waiting waiting(comm.pulse());
  std::string first = opened.identity;  // as long on every rank
  check_mpi(MPI_Bcast(first.data(), static_cast<int>(first.size()), MPI_CHAR, 0, comm.node()), "MPI_Bcast");
  comm.together([&] {
    if (first == opened.identity) return;
    throw Error(ErrorKind::data,
                fmt::format("{}: not the file that another rank of this host has opened; the ranks of a host read the "
                            "data together, so they need the same files under the same path",
                            opened.source));
  });
}

Dataset load_dataset(const Communicator& comm, const DataSource& source, std::span<const std::string> folders) {
  OpenDataset opened;
  comm.together([&] { opened = open_dataset(source, folders); });
  return load_dataset(comm, std::move(opened));
}

Dataset load_dataset(const Communicator& comm, OpenDataset opened) {
  check_same_files(comm, opened);
  return Loader(comm, std::move(opened)).load();
}

void check_same_data(const Communicator& comm, const Dataset& data) {
  const std::vector<std::string> prints = comm.gather_texts(data.fingerprint);
  for (std::size_t rank = 1; rank < prints.size(); ++rank) {
    if (prints[rank] == prints.front()) continue;
    const std::string place = comm.broadcast_text(data.source);
    throw Error(ErrorKind::data,
                fmt::format("{}: rank {} has read other samples than rank 0 (fingerprint {}, on rank 0 "
                            "{}); all hosts need the same files",
                            place, comm.launch_rank(rank), prints[rank], prints.front()))
        .as_agreed();
  }
}

ColumnScaling fit_scaling(const Communicator& comm, NormalizeMethod method, const Table& table, RowList rows,
                          const ValueRule& values) {
  if (method == NormalizeMethod::none) return {};
  const auto ranks = static_cast<std::size_t>(comm.size());
  const Range mine = part_of(table.columns, static_cast<std::size_t>(comm.rank()), ranks);
  std::vector<std::size_t> starts;  // [ranks + 1]
  for (std::size_t rank = 0; rank < ranks; ++rank) starts.push_back(part_of(table.columns, rank, ranks).begin);
  starts.push_back(table.columns);
  ColumnScaling scaling{std::vector<double>(table.columns), std::vector<double>(table.columns)};
  comm.together([&] {
    fit_columns(method, table, mine, std::span(scaling.shift).subspan(mine.begin, mine.size()),
                std::span(scaling.scale).subspan(mine.begin, mine.size()), rows, values);
  });
  comm.gather_parts(scaling.shift, starts);
  comm.gather_parts(scaling.scale, starts);
  return scaling;
}

}  // namespace lockstep
