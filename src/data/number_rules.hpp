// Attributes of a data set that change what its numbers mean, by the conventions of CF and NetCDF: scale_factor,
// add_offset, _Unsigned, which are applied; _FillValue, missing_value, valid_min, valid_max, valid_range, which make
// numbers be no samples, and are refused where such a number occurs.
// Source: CF Conventions 1.11, 2.5.1 and 8.1; NetCDF User's Guide, Attribute Conventions.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/element_type.hpp"
#include "data/open_dataset.hpp"
#include "io/hdf5.hpp"

namespace lockstep {

class NumberRules {
 public:
  NumberRules() = default;
  /// Of a data set without attributes.
  explicit NumberRules(ElementType stored) : stored_(stored) {}
  /// Of the data set at `path`, which is read as `stored`. Errors: data (attributes of another form).
  NumberRules(const h5::File& file, const std::string& path, ElementType stored);

  /// Of the numbers as they are meant: f64 of packed ones, else as they are stored, or the same without or with a sign.
  [[nodiscard]] ElementType type() const noexcept { return packed_ ? ElementType::f64 : stored_; }
  /// True where numbers are scaled or shifted.
  [[nodiscard]] bool packed() const noexcept { return packed_; }
  /// False where stored numbers are taken as they are, whatever they are.
  [[nodiscard]] bool matter() const noexcept { return packed_ || !missing_.empty() || !bounds_.empty(); }
  /// ": its numbers are those stored * 0.1 + 20 (...)".
  [[nodiscard]] std::string told() const;

  /// Looks through stored numbers, of which the first is in row `first` of `table`. Errors: data, naming row, column
  /// and attribute of the first that is marked as missing or not valid.
  void check(std::span<const std::byte> stored, std::size_t first, const TableHeader& table) const;
  /// Packed numbers as they are meant.
  void unpack(std::span<const std::byte> stored, std::span<std::byte> out) const;

 private:
  struct Missing {
    const char* attribute;
    long double value;
  };
  /// Of stored numbers, or of the meant ones where the attribute is of their kind.
  struct Bound {
    const char* attribute;
    double least;
    double largest;
    bool of_meant;
  };
  [[nodiscard]] long double as_stored(long double value) const;
  void add_default_fill(const h5::File& file, const std::string& path);
  void read_bounds(const h5::File& file, const std::string& path);
  template <class T>
  void check_all(std::span<const T> values, std::size_t first, const TableHeader& table) const;

  ElementType stored_ = ElementType::f32;
  bool packed_ = false;
  double scale_ = 1;
  double offset_ = 0;
  std::vector<Missing> missing_;
  std::vector<Bound> bounds_;
};

}  // namespace lockstep
