// vector_random_words is random_words, whatever the length and the start.
#include "core/vector_random.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lockstep {
namespace {

TEST(VectorRandom, GivesTheWordsOfRandomWords) {
  const RandomKey keys[] = {
      {0, RandomPurpose::dropout, 0, 0, 0},
      {0xFEDCBA9876543210U, RandomPurpose::order, 0xABCDEF, 0xFFFFFFFFU, 0x89ABCDEFU},
      {0xFFFFFFFF00000001U, RandomPurpose::bench, 3, 5, 7},
  };
  for (const RandomKey& key : keys) {
    for (const std::uint32_t first : {0U, 1U, 1000U}) {
      for (std::size_t size = 0; size <= 150; ++size) {
        std::vector<std::uint32_t> words(size + 1, 42U);
        vector_random_words(key, first, std::span(words).first(size));
        for (std::size_t i = 0; i < size; ++i) {
          ASSERT_EQ(words[i], random_words(key, first + static_cast<std::uint32_t>(i / 4))[i % 4]) << size << ' ' << i;
        }
        ASSERT_EQ(words[size], 42U);  // nothing is written behind the end
      }
    }
  }
}

}  // namespace
}  // namespace lockstep
