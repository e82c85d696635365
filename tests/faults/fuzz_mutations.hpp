// Changes to good inputs: of bytes for any file, of tokens for run files.
// A change follows from the input and the random numbers alone, so that a case can be made again from its number.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace lockstep::fuzz {

/// The random numbers of one case.
class Random {
 public:
  Random(std::uint64_t seed, std::size_t kind, std::uint64_t number);
  /// 0 to end - 1; `end` is at least 1.
  [[nodiscard]] std::size_t below(std::size_t end) { return static_cast<std::size_t>(engine_() % end); }
  [[nodiscard]] bool one_in(std::size_t n) { return below(n) == 0; }
  template <class T>
  [[nodiscard]] const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }
  template <class T, std::size_t n>
  [[nodiscard]] const T& pick(const std::array<T, n>& from) {
    return from[below(n)];
  }

 private:
  std::mt19937_64 engine_;
};

/// One to four changes: bits flipped, bytes overwritten, a piece cut off, added, doubled, taken out or swapped, or the
/// end of another of `seeds`.
void mutate_bytes(std::string& bytes, const std::vector<std::string>& seeds, Random& random);

/// One to four changes to the text of a run file: numbers and words replaced (by another of the text or of `words`),
/// lines taken out or doubled, brackets and keys nested; now and then bytes as above.
void mutate_text(std::string& text, const std::vector<std::string>& words, const std::vector<std::string>& seeds,
                 Random& random);

/// Letters, digits, '_', '.', '+' and '-' that stand together.
[[nodiscard]] std::vector<std::string> words_of(const std::string& text);

}  // namespace lockstep::fuzz
