// What a reader of rows has to say of those that it read last, beside their numbers.
#pragma once

#include <cstdint>
#include <span>

#include "core/row_texts.hpp"

namespace lockstep {

class RowNotes {
 public:
  virtual ~RowNotes() = default;
  /// [rows] 1 where a row could not be read, and its numbers mean nothing; else 0.
  [[nodiscard]] virtual std::span<const std::uint8_t> bad() const = 0;
  /// [rows] a text for each: the beginning of a line of CSV, with the comma behind it.
  [[nodiscard]] virtual const RowTexts& kept() const = 0;
};

}  // namespace lockstep
