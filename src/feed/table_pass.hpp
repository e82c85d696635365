// One rank's pass over its rows of a table that is streamed: checked, hashed, and with its statistics.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "core/buffer.hpp"
#include "core/range.hpp"
#include "data/column_statistics.hpp"
#include "data/fingerprint.hpp"
#include "data/open_dataset.hpp"

namespace lockstep {

/// Rows are dealt out in the blocks of the statistics. What is given must outlive it.
class TablePass {
 public:
  using Check = std::function<void(const Table& rows, std::size_t first, const Table& weights)>;
  struct What {
    NormalizeMethod method = NormalizeMethod::none;
    TableReader* weights = nullptr;  ///< of the same rows, which statistics and check are to see
    Check check = {};
  };

  /// Takes all that is read, of which rows `fresh` of this rank are read for the first time; they count from `first`.
  using Count = std::function<void(const Table& rows, std::size_t first, Range fresh)>;

  TablePass(const Communicator& comm, TableReader& reader, What what, Count count);

  /// Reads and checks the rows of this rank. Local. Errors: data, io, those of the check.
  void run();

  /// [blocks of the table], those of all ranks. Collective.
  [[nodiscard]] std::vector<HashBytes> hashes() const;

  /// Merges what all ranks have found, by strips of columns. Collective.
  [[nodiscard]] ColumnScaling scaling() const;

 private:
  static constexpr std::size_t kOfColumn = 6;  // numbers of ColumnStatistics
  template <class Statistics>
  static auto parts_of(Statistics& node) {
    return std::array{&node.count, &node.weight, &node.mean, &node.m2, &node.smallest, &node.largest};
  }

  [[nodiscard]] Range blocks_of(std::size_t rank) const;

  // Of a node of the tree over blocks.
  ColumnStatistics of_node(Range blocks);

  // Reads rows into memory and hashes those that were not before.
  Table load(Range rows);

  // The next rows of this rank, checked.
  Table load_checked(Range rows);

  void load_weights(Range rows);
  [[nodiscard]] ValueRule values() const;

  // Of one block; blocks come in order.
  ColumnStatistics statistics(std::size_t block);

  // Of a block that is larger than a piece: it is read twice where that is needed.
  ColumnStatistics of_wide(Range rows);

  void merge_strip(Range columns, std::span<const Range> nodes, std::span<const std::size_t> first_nodes,
                   ColumnScaling& scaling) const;

  const Communicator& comm_;
  TableReader& reader_;
  const TableHeader& header_;
  NormalizeMethod method_;
  TableReader* weights_;
  Check check_;
  Count count_;
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

}  // namespace lockstep
