// The extents of one sample, without the rows, and rows of samples of such a shape.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

/// [F], [C,H,W], [T,F]: one to four extents.
class Shape {
 public:
  static constexpr std::size_t kMostExtents = 4;

  Shape() = default;  ///< [0]: of nothing
  Shape(std::initializer_list<std::size_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  /// One to kMostExtents of them, whose product fits a size_t.
  explicit Shape(std::span<const std::size_t> extents) : extents_{}, dims_(extents.size()) {
    std::ranges::copy(extents, extents_.begin());
  }

  [[nodiscard]] std::span<const std::size_t> extents() const noexcept { return std::span(extents_).first(dims_); }
  [[nodiscard]] std::size_t dims() const noexcept { return dims_; }
  [[nodiscard]] std::size_t operator[](std::size_t dim) const noexcept { return extents_[dim]; }
  [[nodiscard]] std::size_t back() const noexcept { return extents_[dims_ - 1]; }
  /// Numbers of a sample.
  [[nodiscard]] std::size_t size() const noexcept {
    std::size_t size = 1;
    for (const std::size_t extent : extents()) size *= extent;
    return size;
  }
  bool operator==(const Shape&) const = default;

  /// "[3, 8, 8]"
  [[nodiscard]] std::string text() const {
    std::string text = "[";
    for (const std::size_t extent : extents()) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
    return text + "]";
  }

 private:
  std::array<std::size_t, kMostExtents> extents_ = {0};
  std::size_t dims_ = 1;
};

/// Rows of samples, [rows, shape], row-major and packed. T: float or const float.
template <class T>
struct Tensor {
  std::span<T> values;
  std::size_t rows = 0;
  Shape shape = {};

  [[nodiscard]] std::span<T> row(std::size_t index) const {
    const std::size_t size = shape.size();
    return values.subspan(index * size, size);
  }
};

}  // namespace lockstep
