#include "score/block_reader.hpp"

#include <algorithm>
#include <utility>

#include "data/open_dataset.hpp"
#include "data/shard_plan.hpp"
#include "feed/epoch_batch.hpp"
#include "feed/run_data.hpp"
#include "lockstep/error.hpp"
#include "model/metrics.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{4} << 20U;

// The file may have changed since it was passed over.
TargetRule rule_of(const Loss& loss, std::size_t outputs) {
  if (loss.targets() == TargetKind::labels) {
    return {TargetRule::Kind::labels, outputs, "the outputs of the net"};
  }
  return value_rule(loss);
}

}  // namespace

// The rows of a streamed data set in order, piece by piece.
class PieceReader {
 public:
  PieceReader(const Dataset& data, TargetRule rule)
      : data_(data), rule_(std::move(rule)), row_bytes_(data.file->x->header().row_bytes()) {
    const std::size_t blocks = kPieceBytes / (row_bytes_ * kEvaluationBlock);
    piece_rows_ = std::max<std::size_t>(blocks, 1) * kEvaluationBlock;
  }

  /// The tables that hold rows `rows`, which are of one block, and where in them the first of these is.
  std::size_t hold(Range rows) {
    if (held_.contains(rows.begin)) return rows.begin - held_.begin;
    held_ = {rows.begin, std::min(rows.begin + piece_rows_, data_.samples())};
    x = read(*data_.file->x, x_memory_);
    y = read(*data_.file->y, y_memory_);
    if (data_.file->w) w = read(*data_.file->w, w_memory_);
    check_targets_held(rule_, y, data_.source, held_.begin, nullptr);
    return 0;
  }

  Table x, y, w;

 private:
  Table read(TableReader& reader, std::vector<std::byte>& memory) const {
    const TableHeader& header = reader.header();
    memory.resize(held_.size() * header.row_bytes());
    reader.read(held_, memory);
    const Table table{header.type, held_.size(), header.columns, memory, {}};
    check_finite(table, header.name, {0, table.rows}, held_.begin, header.may_miss);
    return table;
  }

  const Dataset& data_;
  TargetRule rule_;
  std::size_t row_bytes_;
  std::size_t piece_rows_;
  Range held_;
  std::vector<std::byte> x_memory_, y_memory_, w_memory_;
};

std::size_t count_blocks(std::size_t samples) {
  return (samples + kEvaluationBlock - 1) / kEvaluationBlock;
}

BlockReader::BlockReader(const Dataset& data, const Normalization& normalization, RowList rows, const Loss& loss,
                         std::size_t outputs)
    : data_(data),
      normalization_(normalization),
      rows_(rows),
      samples_(rows.empty() ? data.samples() : rows.size()),
      chosen_(kEvaluationBlock) {
  if (!data.streamed()) return;
  if (!rows.empty()) throw Error(ErrorKind::usage, "some rows of a streamed data set cannot be scored").as_agreed();
  pieces_ = std::make_unique<PieceReader>(data, rule_of(loss, outputs));
}

BlockReader::~BlockReader() = default;

Range BlockReader::range_of(std::size_t block) const noexcept {
  return {block * kEvaluationBlock, std::min((block + 1) * kEvaluationBlock, samples_)};
}

void BlockReader::gather(std::size_t block, const BatchRows& to) {
  const Range range = range_of(block);
  const std::size_t first = pieces_ ? pieces_->hold(range) : 0;
  for (std::size_t i = 0; i < range.size(); ++i) {
    chosen_[i] = static_cast<std::uint32_t>(pieces_ ? first + i : row_at(rows_, range.begin + i));
  }
  const auto chosen = std::span<const std::uint32_t>(chosen_).first(range.size());
  if (pieces_) {
    gather_samples(pieces_->x, pieces_->y, pieces_->w, normalization_, chosen, to);
  } else {
    gather_samples(data_, normalization_, chosen, to);
  }
}

}  // namespace lockstep
