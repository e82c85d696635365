// The samples of a data set in the fixed blocks in which they are scored: from memory, or from the file of a streamed
// one, piece by piece.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/range.hpp"
#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "data/split.hpp"
#include "lockstep/batch.hpp"
#include "model/loss.hpp"

namespace lockstep {

class PieceReader;

/// How many blocks `samples` samples make; the last may be short.
[[nodiscard]] std::size_t count_blocks(std::size_t samples);

/// Everything given must outlive it. One thread.
class BlockReader {
 public:
  /// Of `rows` of `data`, for a net of `outputs` outputs with this loss.
  /// Errors, agreed: usage (some rows of a streamed data set).
  BlockReader(const Dataset& data, const Normalization& normalization, RowList rows, const Loss& loss,
              std::size_t outputs);
  BlockReader(const BlockReader&) = delete;
  BlockReader& operator=(const BlockReader&) = delete;
  ~BlockReader();

  [[nodiscard]] std::size_t samples() const noexcept { return samples_; }
  [[nodiscard]] std::size_t blocks() const noexcept { return count_blocks(samples_); }
  /// Rows of a block.
  [[nodiscard]] std::size_t rows(std::size_t block) const noexcept { return range_of(block).size(); }
  /// Fills `to` with block `block`, converted and normalised. Local. Errors: data, io, of samples that are read only
  /// now.
  void gather(std::size_t block, const BatchRows& to);

 private:
  [[nodiscard]] Range range_of(std::size_t block) const noexcept;

  const Dataset& data_;
  const Normalization& normalization_;
  RowList rows_;
  std::size_t samples_;
  std::vector<std::uint32_t> chosen_;
  std::unique_ptr<PieceReader> pieces_;  // of streamed data
};

}  // namespace lockstep
