// Where rows come from, and which of them are for training.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/element_type.hpp"

namespace lockstep {

/// Sizes and names of what is imported.
struct RowFormat {
  ElementType x_type = ElementType::f32;
  std::vector<std::size_t> x_shape = {};  ///< of one sample; at least one dimension
  ElementType y_type = ElementType::f64;
  std::vector<std::size_t> y_shape = {};  ///< of one target or label; empty: a single number
  std::vector<std::string> features = {};
  std::vector<std::string> targets = {};
  std::vector<std::string> categorical = {};  ///< columns whose texts became features, "NAME=TEXT"
  std::vector<std::string> classes = {};
  bool weights = false;     ///< whether samples have weights: w [n] float32
  std::string recipe = {};  ///< of a table (import/recipe.hpp), as JSON

  [[nodiscard]] static std::size_t bytes(ElementType type, const std::vector<std::size_t>& shape) noexcept {
    std::size_t product = bytes_of(type);
    for (const std::size_t dim : shape) product *= dim;
    return product;
  }
  [[nodiscard]] std::size_t x_bytes() const noexcept { return bytes(x_type, x_shape); }  ///< of a row
  [[nodiscard]] std::size_t y_bytes() const noexcept { return bytes(y_type, y_shape); }
  [[nodiscard]] std::size_t w_bytes() const noexcept { return weights ? sizeof(float) : 0; }
};

/// Some rows, in the types of a format.
struct RowBlock {
  std::size_t rows = 0;
  std::vector<std::byte> x = {};
  std::vector<std::byte> y = {};
  std::vector<std::byte> w = {};  ///< empty without weights
};

/// Gives rows in their order, a block at a time.
class RowSource {
 public:
  virtual ~RowSource() = default;
  /// The next rows into `block`, all of whose members it sets: none at the end. Errors: data, io.
  virtual void next(RowBlock& block) = 0;
};

/// Which rows train: exactly `train` of `rows`, each choice of that many equally likely. Row i is dealt by a random
/// number of (seed, i) and by how many were dealt before; the rows are asked for in order.
/// Source: selection sampling, Fan, Muller and Rezucha (1962); Knuth, vol. 2, 3.4.2, algorithm S.
class Dealer {
 public:
  Dealer(std::uint64_t seed, std::size_t rows, std::size_t train) : seed_(seed), rows_(rows), train_(train) {}
  /// Whether the next row trains.
  [[nodiscard]] bool next();

 private:
  std::uint64_t seed_;
  std::size_t rows_;   ///< still to come
  std::size_t train_;  ///< of these, how many train
  std::uint64_t row_ = 0;
};

/// floor(fraction * rows), of the fraction as it is written: 0.29 of 100 is 29.
[[nodiscard]] std::size_t train_rows(double fraction, std::size_t rows);

}  // namespace lockstep
