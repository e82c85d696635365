#include "import/row_source.hpp"

#include <cmath>

#include "core/random.hpp"

namespace lockstep {

__extension__ using Wide = unsigned __int128;

bool Dealer::next() {
  if (rows_ == 0) return true;
  const RandomKey key{seed_, RandomPurpose::deal, 0, static_cast<std::uint32_t>(row_ >> 32U),
                      static_cast<std::uint32_t>(row_)};
  ++row_;
  const auto words = random_words(key, 0);
  const std::uint64_t random = std::uint64_t{words[0]} << 32U | words[1];
  // A whole number below rows_, equally likely each.
  const bool train = static_cast<std::uint64_t>(Wide{random} * rows_ >> 64U) < train_;
  --rows_;
  train_ -= train ? 1 : 0;
  return train;
}

std::size_t train_rows(double fraction, std::size_t rows) {
  constexpr double rounding = 1e-6;  // a product such as 0.29 * 100 falls short by far less
  return static_cast<std::size_t>(std::floor(fraction * static_cast<double>(rows) + rounding));
}

}  // namespace lockstep
