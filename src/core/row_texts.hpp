// A text a row, one behind the other in one piece of memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

class RowTexts {
 public:
  [[nodiscard]] std::size_t rows() const noexcept { return ends_.size(); }
  [[nodiscard]] std::string_view at(std::size_t row) const noexcept {
    const std::size_t begin = row == 0 ? 0 : ends_[row - 1];
    return std::string_view(text_).substr(begin, ends_[row] - begin);
  }

  void clear() noexcept {
    text_.clear();
    ends_.clear();
  }
  /// Adds to the text of the row under way.
  void append(std::string_view text) { text_ += text; }
  void end_row() { ends_.push_back(text_.size()); }

 private:
  std::string text_;
  std::vector<std::size_t> ends_;
};

}  // namespace lockstep
