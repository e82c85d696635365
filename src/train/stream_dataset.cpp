#include "train/stream_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/buffer.hpp"
#include "core/tree.hpp"
#include "data/column_statistics.hpp"
#include "data/fingerprint.hpp"
#include "data/sample_weights.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{8} << 20U;
constexpr std::size_t kGatheredBytes = std::size_t{16} << 20U;  // of statistics at a time
constexpr std::size_t kSampledBlocks = 16;                      // that every host compares
constexpr auto kTellEvery = std::chrono::seconds(20);

// Hashes of the fingerprint's blocks that begin in a range of bytes, which come in order.
class BlockHasher {
 public:
  BlockHasher(Range bytes, std::size_t total) : total_(total), next_(fingerprint_blocks(bytes.begin)) {
    first_ = next_;
    end_ = fingerprint_blocks(bytes.end);
  }
  [[nodiscard]] std::size_t first() const noexcept { return first_; }
  [[nodiscard]] bool complete() const noexcept { return next_ >= end_; }
  /// Where the last of the blocks ends.
  [[nodiscard]] std::size_t end_bytes() const noexcept { return std::min(end_ * kFingerprintBlock, total_); }

  /// `bytes` lie at `at`, behind those before.
  void add(std::size_t at, std::span<const std::byte> bytes) {
    while (next_ < end_) {
      const std::size_t begin = next_ * kFingerprintBlock;
      const std::size_t size = std::min(kFingerprintBlock, total_ - begin);
      const std::size_t have = begin + held_.size();  // the first byte that is wanted
      if (have >= at + bytes.size()) return;
      const auto from = bytes.subspan(have - at);
      if (held_.empty() && from.size() >= size) {
        hashes_.push_back(hash_bytes(from.first(size)));
        ++next_;
        continue;
      }
      const auto more = from.first(std::min(from.size(), size - held_.size()));
      held_.insert(held_.end(), more.begin(), more.end());
      if (held_.size() < size) return;
      hashes_.push_back(hash_bytes(held_));
      held_.clear();
      ++next_;
    }
  }
  [[nodiscard]] std::span<const HashBytes> hashes() const noexcept { return hashes_; }

 private:
  std::size_t total_;
  std::size_t first_ = 0;
  std::size_t next_ = 0;
  std::size_t end_ = 0;
  std::vector<std::byte> held_;  // of a block that is not complete
  std::vector<HashBytes> hashes_;
};

// One rank's pass over its rows of a table. Rows are dealt out in the blocks of the statistics.
class TablePass {
 public:
  using Check = std::function<void(const Table& rows, std::size_t first, const Table& weights)>;
  struct What {
    NormalizeMethod method = NormalizeMethod::none;
    TableReader* weights = nullptr;  // of the same rows, which statistics and check are to see
    Check check = {};
  };

  TablePass(const Communicator& comm, TableReader& reader, What what, std::function<void(std::size_t)> count)
      : comm_(comm),
        reader_(reader),
        header_(reader.header()),
        method_(what.method),
        weights_(what.weights),
        check_(std::move(what.check)),
        count_(std::move(count)),
        blocks_(statistics_blocks(header_.rows)),
        mine_(blocks_of(static_cast<std::size_t>(comm.rank()))),
        rows_{mine_.begin * kStatisticsRows, std::min(mine_.end * kStatisticsRows, header_.rows)},
        hasher_({rows_.begin * header_.row_bytes(), rows_.end * header_.row_bytes()}, header_.bytes()),
        passed_(rows_.begin) {
    const std::size_t fit = std::max<std::size_t>(kPieceBytes / header_.row_bytes(), 1);
    piece_rows_ = fit >= kStatisticsRows ? fit / kStatisticsRows * kStatisticsRows : fit;
    memory_ = Buffer<std::byte>(std::min(piece_rows_, header_.rows) * header_.row_bytes());
  }

  // Local.
  void run() {
    nodes_ = tree_cover(blocks_, mine_);
    for (const Range& node : nodes_) found_.push_back(of_node(node));
    // The last block of the fingerprint may end in the rows of the next rank.
    while (!hasher_.complete()) {
      const std::size_t end = (hasher_.end_bytes() + header_.row_bytes() - 1) / header_.row_bytes();
      (void)load({passed_, std::min(passed_ + piece_rows_, end)});
    }
  }

  /// [blocks of the table], those of all ranks. Collective.
  [[nodiscard]] std::vector<HashBytes> hashes() const {
    std::vector<std::int64_t> words(2 * fingerprint_blocks(header_.bytes()));
    static_assert(sizeof(HashBytes) == 2 * sizeof(std::int64_t));
    if (!hasher_.hashes().empty()) {
      std::memcpy(words.data() + 2 * hasher_.first(), hasher_.hashes().data(), hasher_.hashes().size_bytes());
    }
    comm_.sum(words);  // where one rank has a hash, the others have zeros
    std::vector<HashBytes> all(words.size() / 2);
    if (!all.empty()) std::memcpy(all.data(), words.data(), words.size() * sizeof(std::int64_t));
    return all;
  }

  /// Merges what all ranks have found, by strips of columns. Collective.
  [[nodiscard]] ColumnScaling scaling() const {
    if (method_ == NormalizeMethod::none) return {};
    std::vector<Range> nodes;
    std::vector<std::size_t> first_nodes;  // [ranks + 1]
    for (std::size_t rank = 0; rank < static_cast<std::size_t>(comm_.size()); ++rank) {
      first_nodes.push_back(nodes.size());
      const std::vector<Range> own = tree_cover(blocks_, blocks_of(rank));
      nodes.insert(nodes.end(), own.begin(), own.end());
    }
    first_nodes.push_back(nodes.size());
    const std::size_t strip = std::max<std::size_t>(kGatheredBytes / (kOfColumn * sizeof(double) * nodes.size()), 1);
    ColumnScaling scaling{std::vector<double>(header_.columns), std::vector<double>(header_.columns)};
    for (std::size_t begin = 0; begin < header_.columns; begin += strip) {
      merge_strip({begin, std::min(begin + strip, header_.columns)}, nodes, first_nodes, scaling);
    }
    return scaling;
  }

 private:
  static constexpr std::size_t kOfColumn = 6;  // numbers of ColumnStatistics
  template <class Statistics>
  static auto parts_of(Statistics& node) {
    return std::array{&node.count, &node.weight, &node.mean, &node.m2, &node.smallest, &node.largest};
  }

  [[nodiscard]] Range blocks_of(std::size_t rank) const {
    return part_of(blocks_, rank, static_cast<std::size_t>(comm_.size()));
  }

  // Of a node of the tree over blocks.
  ColumnStatistics of_node(Range blocks) {
    if (blocks.size() == 1) return statistics(blocks.begin);
    const std::size_t mid = tree_split(blocks);
    ColumnStatistics left = of_node({blocks.begin, mid});
    merge(left, of_node({mid, blocks.end}));
    return left;
  }

  // Reads rows into memory and hashes those that were not before.
  Table load(Range rows) {
    const std::span<std::byte> bytes = memory_.view().first(rows.size() * header_.row_bytes());
    reader_.read(rows, bytes);
    hasher_.add(rows.begin * header_.row_bytes(), bytes);
    passed_ = std::max(passed_, rows.end);
    comm_.pulse().beat();
    count_(bytes.size());
    return {header_.type, rows.size(), header_.columns, bytes, {}};
  }

  // The next rows of this rank, checked.
  Table load_checked(Range rows) {
    const Table table = load(rows);
    load_weights(rows);
    check_finite(table, header_.name, {0, table.rows}, rows.begin, header_.may_miss);
    if (check_) check_(table, rows.begin, of_rows_);
    return table;
  }

  void load_weights(Range rows) {
    if (weights_ == nullptr || (method_ == NormalizeMethod::none && !check_)) return;
    const TableHeader& header = weights_->header();
    weights_memory_.resize(rows.size() * header.row_bytes());
    weights_->read(rows, weights_memory_);
    of_rows_ = {header.type, rows.size(), 1, weights_memory_, {}};
  }
  [[nodiscard]] ValueRule values() const {
    return {.weights = weights_ == nullptr ? nullptr : &of_rows_, .missing = header_.may_miss};
  }

  // Of one block; blocks come in order.
  ColumnStatistics statistics(std::size_t block) {
    const Range rows = statistics_rows(block, header_.rows);
    if (piece_rows_ < kStatisticsRows) return of_wide(rows);
    if (rows.begin >= held_.end) {
      held_ = {rows.begin, std::min(rows.begin + piece_rows_, rows_.end)};
      table_ = load_checked(held_);
    }
    if (method_ == NormalizeMethod::none) return {};
    const Range here{rows.begin - held_.begin, rows.end - held_.begin};
    BlockStatistics statistics(header_.columns);
    statistics.add_sums(table_, 0, here, {}, values());
    statistics.finish_sums();
    if (method_ == NormalizeMethod::standard) statistics.add_squares(table_, 0, here, {}, values());
    return std::move(statistics).take();
  }

  // Of a block that is larger than a piece: it is read twice where that is needed.
  ColumnStatistics of_wide(Range rows) {
    BlockStatistics statistics(header_.columns);
    const auto in_pieces = [&](auto&& visit) {
      for (std::size_t begin = rows.begin; begin < rows.end; begin += piece_rows_) {
        visit(Range{begin, std::min(begin + piece_rows_, rows.end)});
      }
    };
    in_pieces([&](Range piece) {
      const Table table = load_checked(piece);
      if (method_ != NormalizeMethod::none) statistics.add_sums(table, 0, {0, table.rows}, {}, values());
    });
    if (method_ == NormalizeMethod::none) return {};
    statistics.finish_sums();
    if (method_ == NormalizeMethod::standard) {
      in_pieces([&](Range piece) {
        const Table table = load(piece);
        load_weights(piece);
        statistics.add_squares(table, 0, {0, table.rows}, {}, values());
      });
    }
    return std::move(statistics).take();
  }

  void merge_strip(Range columns, std::span<const Range> nodes, std::span<const std::size_t> first_nodes,
                   ColumnScaling& scaling) const {
    const std::size_t width = columns.size();
    const std::size_t numbers = kOfColumn * width;  // of a node
    std::vector<double> all(nodes.size() * numbers);
    auto at = all.begin() + static_cast<std::ptrdiff_t>(first_nodes[static_cast<std::size_t>(comm_.rank())] * numbers);
    for (const ColumnStatistics& node : found_) {
      for (const auto* values : parts_of(node)) {
        at = std::copy_n(values->begin() + static_cast<std::ptrdiff_t>(columns.begin), width, at);
      }
    }
    std::vector<std::size_t> starts(first_nodes.begin(), first_nodes.end());
    for (std::size_t& start : starts) start *= numbers;
    comm_.gather_parts(all, starts);
    std::size_t next = 0;
    const ColumnStatistics merged = merge_nodes({0, blocks_}, nodes, [&] {
      ColumnStatistics node;
      auto from = all.begin() + static_cast<std::ptrdiff_t>(next++ * numbers);
      for (auto* values : parts_of(node)) {
        values->assign(from, from + static_cast<std::ptrdiff_t>(width));
        from += static_cast<std::ptrdiff_t>(width);
      }
      return node;
    });
    finish_columns(method_, header_.type, merged, std::span(scaling.shift).subspan(columns.begin, width),
                   std::span(scaling.scale).subspan(columns.begin, width));
  }

  const Communicator& comm_;
  TableReader& reader_;
  const TableHeader& header_;
  NormalizeMethod method_;
  TableReader* weights_;
  Check check_;
  std::function<void(std::size_t)> count_;  // takes the bytes that were read
  std::size_t blocks_;
  Range mine_;  // blocks
  Range rows_;
  BlockHasher hasher_;
  std::size_t passed_;  // the first row that was not read
  std::size_t piece_rows_ = 1;
  Buffer<std::byte> memory_;
  Range held_;   // rows in memory_
  Table table_;  // of them
  std::vector<std::byte> weights_memory_;
  Table of_rows_;  // weights of the rows that were checked last
  std::vector<Range> nodes_;
  std::vector<ColumnStatistics> found_;  // [nodes_]
};

// Else the ranks would not even exchange as much.
void check_same_headers(const Communicator& comm, const OpenDataset& file) {
  std::string own;
  for (const TableReader* table : tables_of(file)) {
    const TableHeader& header = table->header();
    own +=
        fmt::format("{} rows of {} numbers of type {}; ", header.rows, header.columns, static_cast<int>(header.type));
  }
  const std::string first = comm.broadcast_text(own);
  comm.together([&] {
    if (own == first) return;
    throw Error(ErrorKind::data,
                fmt::format("{}: not the data that rank 0 has opened; all hosts need the same files", file.source));
  });
}

// Every host has read a part of its own file. That the files are the same is seen by some blocks that all of them read.
void check_same_on_hosts(const Communicator& comm, TableReader& reader, std::span<const HashBytes> hashes) {
  const TableHeader& header = reader.header();
  comm.together([&] {
    if (comm.nodes() == 1 || comm.node_rank() != 0) return;
    const std::size_t many = std::min(kSampledBlocks, hashes.size());
    for (std::size_t i = 0; i < many; ++i) {
      const std::size_t block = many == 1 ? 0 : i * (hashes.size() - 1) / (many - 1);
      const std::size_t begin = block * kFingerprintBlock;
      const std::size_t end = std::min(begin + kFingerprintBlock, header.bytes());
      const Range rows{begin / header.row_bytes(), (end + header.row_bytes() - 1) / header.row_bytes()};
      Buffer<std::byte> memory(rows.size() * header.row_bytes());
      reader.read(rows, memory.view());
      comm.pulse().beat();
      const auto bytes = memory.view().subspan(begin - rows.begin * header.row_bytes(), end - begin);
      if (hash_bytes(bytes) == hashes[block]) continue;
      throw Error(ErrorKind::data, fmt::format("{}: rows {} to {} are not those that other ranks have read; all "
                                               "hosts need the same files",
                                               header.name, rows.begin, rows.end - 1));
    }
  });
}

// Tells now and then how far rank 0 is; the others are about as far.
class Progress {
 public:
  Progress(const Communicator& comm, std::size_t bytes, std::function<void(const std::string&)> tell)
      : total_(static_cast<double>(bytes) / comm.size()), tell_(std::move(tell)) {}

  void count(std::size_t bytes) {
    read_ += static_cast<double>(bytes);
    if (!tell_ || std::chrono::steady_clock::now() - told_ < kTellEvery) return;
    told_ = std::chrono::steady_clock::now();
    tell_(fmt::format("passing over the data: {:.0f} %", std::min(100 * read_ / total_, 100.0)));
  }

 private:
  double total_;
  double read_ = 0;
  std::function<void(const std::string&)> tell_;
  std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

void sum_counts(const Communicator& comm, LabelCounts& counts) {
  counts.largest = static_cast<std::uint64_t>(comm.max(static_cast<double>(counts.largest)));  // below 2^31: exact
  counts.samples.resize(std::min(counts.largest + 1, LabelCounts::kMostCounted));
  comm.sum(counts.samples);
}

// The weights of a data set: their range, for which all of them are passed over, and then what they sum up to.
class WeightPass {
 public:
  explicit WeightPass(bool by_label) : by_label_(by_label) {}

  void look(const Table& weights) {
    for (const float weight : taken(weights)) {
      totals_.least = std::min(totals_.least, double{weight});
      totals_.largest = std::max(totals_.largest, double{weight});
      totals_.negatives += weight < 0 ? 1 : 0;
    }
  }
  // Collective.
  void share(const Communicator& comm) {
    totals_.least = -comm.max(-totals_.least);
    totals_.largest = comm.max(totals_.largest);
    totals_.negatives = comm.sum(totals_.negatives);
    sums_ = WeightSums(std::max(std::abs(totals_.least), std::abs(totals_.largest)));
  }
  // `labels` are checked.
  void add(const Table& weights, const Table& labels) {
    const std::span<const float> all = taken(weights);
    if (!by_label_) {
      for (const float weight : all) sums_.add(weight);
      return;
    }
    visit_element_type(labels.type, [&](auto zero) {
      const auto* const of_row = reinterpret_cast<const decltype(zero)*>(labels.bytes.data());
      for (std::size_t i = 0; i < all.size(); ++i) {
        const auto label = static_cast<std::uint64_t>(of_row[i]);
        label < LabelCounts::kMostCounted ? sums_.add(all[i], label) : sums_.add(all[i]);
      }
    });
  }
  // Collective. `labels`: as many as there are at most.
  WeightTotals take(const Communicator& comm, std::size_t labels) {
    sums_.reserve(labels);
    comm.sum(sums_.words());
    totals_.positive = sums_.positive();
    totals_.negative = sums_.negative();
    totals_.by_label = sums_.by_label();
    return totals_;
  }

 private:
  std::span<const float> taken(const Table& weights) {
    taken_.resize(weights.rows);
    read_weights(weights, {0, weights.rows}, taken_);
    return taken_;
  }

  bool by_label_;
  WeightTotals totals_;
  WeightSums sums_{1};
  std::vector<float> taken_;
};

Table header_only(const TableHeader& header) {
  return {header.type, header.rows, header.columns, {}, {}};
}

}  // namespace

PassedDataset pass_over(const Communicator& comm, OpenDataset file, const PassSettings& settings) {
  comm.pulse().enter(Phase::reading);
  PassedDataset result;
  Dataset& data = result.data;
  comm.together([&] {
    data.file = std::make_shared<OpenDataset>(std::move(file));
    data.source = data.file->source;
    data.class_names = data.file->class_names;
    data.columns = data.file->columns;
    data.x = header_only(data.file->x->header());
    data.y = header_only(data.file->y->header());
    if (data.file->w) data.w = header_only(data.file->w->header());
    check_target_type(settings.rule, data.y, data.source);
  });
  check_same_headers(comm, *data.file);
  LabelCounts counts;
  Progress progress(comm, bytes_of(*data.file), settings.tell);
  const auto count = [&](std::size_t bytes) { progress.count(bytes); };
  std::vector<HashBytes> hashes;
  const auto pass = [&](TableReader& reader, const TablePass::What& what) {
    std::optional<TablePass> table;
    comm.together(
        [&] {
          table.emplace(comm, reader, what, count);
          table->run();
        },
        Blame::host);
    const std::vector<HashBytes> own = table->hashes();
    check_same_on_hosts(comm, reader, own);
    hashes.insert(hashes.end(), own.begin(), own.end());
    return table->scaling();
  };
  const bool labels = settings.rule.kind == TargetRule::Kind::labels;
  TableReader* const w = data.file->w.get();
  WeightPass weights(labels);
  std::vector<HashBytes> of_weights;
  if (w != nullptr) {  // first, for sums need to know how large weights are
    (void)pass(*w, {.check = [&](const Table& rows, std::size_t, const Table&) { weights.look(rows); }});
    weights.share(comm);
    of_weights = std::exchange(hashes, {});
  }
  result.normalization.x = pass(*data.file->x, {.method = settings.x, .weights = w});
  std::vector<std::int64_t> missing(data.y.columns, 0);
  const auto check = [&](const Table& rows, std::size_t first, const Table& of_rows) {
    check_targets_held(settings.rule, rows, data.source, first, &counts);
    if (data.file->y->header().may_miss) count_missing(rows, {0, rows.rows}, missing);
    if (w != nullptr) weights.add(of_rows, rows);
  };
  result.normalization.y = pass(*data.file->y, {.method = settings.y, .weights = w, .check = check});
  comm.sum(missing);
  set_missing(data, std::move(missing));
  if (labels) {
    sum_counts(comm, counts);
    data.labels = std::move(counts);
  }
  if (w != nullptr) data.weights = weights.take(comm, labels ? data.labels->samples.size() : 0);
  hashes.insert(hashes.end(), of_weights.begin(), of_weights.end());
  data.fingerprint = fingerprint(data.x, data.y, hashes, data.w);
  return result;
}

}  // namespace lockstep
