// The parameter table: which part of the flat arenas is which weight.
//
// Parameters, gradients and optimizer slots are each one flat arena of floats with this same layout. A parameter
// starts on a cache line; the padding behind it is zero and stays zero. Everything that works on arenas (exchange,
// update, norms, checkpoints) goes by this table and knows no layers.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/range.hpp"
#include "core/sums.hpp"

namespace lockstep {

/// What a parameter is; `decay_exclude` in a run file names kinds. norm: the weight of a normalisation. running: no
/// gradient trains it, its layer moves it, and norms, clipping, decay and averages leave it alone.
enum class ParameterKind { weight, bias, norm, running };

/// One named tensor in the arenas.
struct Parameter {
  std::string layer;               ///< "dense1"
  std::string name;                ///< "weight"
  std::vector<std::size_t> shape;  ///< a dense weight is [out, in]
  ParameterKind kind = ParameterKind::weight;
  Range range;  ///< elements in the arena
};

/// The table. Offsets are multiples of 16 floats (64 bytes).
class ParameterTable {
 public:
  /// Appends a tensor behind the last one; returns its index. Errors: config (more than kMaxElements in all).
  std::size_t add(std::string layer, std::string name, std::vector<std::size_t> shape, ParameterKind kind);

  [[nodiscard]] std::span<const Parameter> entries() const noexcept { return entries_; }
  /// Floats in an arena, padding included.
  [[nodiscard]] std::size_t arena_size() const noexcept { return arena_size_; }
  /// Weights in all, padding not counted.
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

 private:
  std::vector<Parameter> entries_;
  std::size_t arena_size_ = 0;
  std::size_t count_ = 0;
};

/// A fixed block: at most kBlockElements elements of one parameter. Norms are taken by blocks and blocks are dealt to
/// ranks, so a norm has the same bits at any rank count.
struct Block {
  Range range;                ///< elements in the arena
  std::size_t parameter = 0;  ///< index into the table
};

inline constexpr std::size_t kBlockElements = PairSum::kMostAlone;
/// The most floats that an arena takes: far above any net for CPUs, far below where sizes in bytes overflow.
inline constexpr std::size_t kMaxElements = std::size_t{1} << 36U;

/// All blocks of a table in the order of the arena.
[[nodiscard]] std::vector<Block> blocks_of(const ParameterTable& table);

/// The tensors of one layer as views into an arena. T: float or const float.
template <class T>
class ParameterViews {
 public:
  ParameterViews(std::span<T> arena, std::span<const Range> ranges) : arena_(arena), ranges_(ranges) {}
  [[nodiscard]] std::span<T> operator[](std::size_t index) const {
    return arena_.subspan(ranges_[index].begin, ranges_[index].size());
  }
  [[nodiscard]] std::size_t size() const noexcept { return ranges_.size(); }

 private:
  std::span<T> arena_;
  std::span<const Range> ranges_;
};

}  // namespace lockstep
