#include "feed/table_pass.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/tree.hpp"
#include "data/normalization.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPassBytes = std::size_t{8} << 20U;
constexpr std::size_t kGatheredBytes = std::size_t{16} << 20U;  // of statistics at a time

}  // namespace

TablePass::TablePass(const Communicator& comm, TableReader& reader, What what, Count count)
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
  const std::size_t fit = std::max<std::size_t>(kPassBytes / header_.row_bytes(), 1);
  piece_rows_ = fit >= kStatisticsRows ? fit / kStatisticsRows * kStatisticsRows : fit;
  memory_ = Buffer<std::byte>(std::min(piece_rows_, header_.rows) * header_.row_bytes());
}

void TablePass::run() {
  nodes_ = tree_cover(blocks_, mine_);
  for (const Range& node : nodes_) found_.push_back(of_node(node));
  // The last block of the fingerprint may end in the rows of the next rank.
  while (!hasher_.complete()) {
    const std::size_t end = (hasher_.end_bytes() + header_.row_bytes() - 1) / header_.row_bytes();
    (void)load({passed_, std::min(passed_ + piece_rows_, end)});
  }
}

std::vector<HashBytes> TablePass::hashes() const {
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

ColumnScaling TablePass::scaling() const {
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

Range TablePass::blocks_of(std::size_t rank) const {
  return part_of(blocks_, rank, static_cast<std::size_t>(comm_.size()));
}

ColumnStatistics TablePass::of_node(Range blocks) {
  if (blocks.size() == 1) return statistics(blocks.begin);
  const std::size_t mid = tree_split(blocks);
  ColumnStatistics left = of_node({blocks.begin, mid});
  merge(left, of_node({mid, blocks.end}));
  return left;
}

Table TablePass::load(Range rows) {
  const std::span<std::byte> bytes = memory_.view().first(rows.size() * header_.row_bytes());
  reader_.read(rows, bytes);
  hasher_.add(rows.begin * header_.row_bytes(), bytes);
  const std::size_t first = std::exchange(passed_, std::max(passed_, rows.end));
  comm_.pulse().beat();
  const Table table{header_.type, rows.size(), header_.columns, bytes, {}};
  const std::size_t fresh_end = std::min(rows.end, rows_.end);  // what is behind is read by the next rank too
  count_(table, rows.begin, {std::min(std::max(first, rows.begin), fresh_end), fresh_end});
  return table;
}

Table TablePass::load_checked(Range rows) {
  const Table table = load(rows);
  load_weights(rows);
  check_finite(table, header_.name, {0, table.rows}, rows.begin, header_.may_miss);
  if (check_) check_(table, rows.begin, of_rows_);
  return table;
}

void TablePass::load_weights(Range rows) {
  if (weights_ == nullptr || (method_ == NormalizeMethod::none && !check_)) return;
  const TableHeader& header = weights_->header();
  weights_memory_.resize(rows.size() * header.row_bytes());
  weights_->read(rows, weights_memory_);
  of_rows_ = {header.type, rows.size(), 1, weights_memory_, {}};
}

ValueRule TablePass::values() const {
  return {.weights = weights_ == nullptr ? nullptr : &of_rows_, .missing = header_.may_miss};
}

ColumnStatistics TablePass::statistics(std::size_t block) {
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

ColumnStatistics TablePass::of_wide(Range rows) {
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

void TablePass::merge_strip(Range columns, std::span<const Range> nodes, std::span<const std::size_t> first_nodes,
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

}  // namespace lockstep
