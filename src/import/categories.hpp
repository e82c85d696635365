// The texts of a column of categories or class names: numbered as they come, sorted at the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lockstep {

class Categories {
 public:
  /// `most`: how many different texts there may be.
  explicit Categories(std::size_t most) : most_(most) {}

  /// The number of `text`, counted in order of appearance.
  /// Errors: std::length_error (more texts than may be), std::invalid_argument (longer than 255 bytes, not UTF-8, NUL
  /// bytes), with a sentence for people.
  [[nodiscard]] std::uint32_t code(std::string_view text) {
    const auto found = codes_.find(text);
    return found != codes_.end() ? found->second : add(text);
  }

  [[nodiscard]] std::size_t size() const noexcept { return codes_.size(); }
  /// All texts: by value where all are numbers, else by their bytes. It does not depend on the order they came in.
  [[nodiscard]] std::vector<std::string> sorted() const;
  /// Where the text with each code stands in sorted().
  [[nodiscard]] std::vector<std::uint32_t> places() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  std::uint32_t add(std::string_view text);

  std::size_t most_;
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> codes_;
};

}  // namespace lockstep
