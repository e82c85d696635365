#include "faults/fuzz_mutations.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "core/range.hpp"

namespace lockstep::fuzz {
namespace {

// Most bytes of a checkpoint are zeros that nobody reads: a place is looked for on or just behind another byte.
std::size_t place_in(const std::string& bytes, Random& random) {
  std::size_t at = random.below(bytes.size());
  for (int tries = 0; tries < 8 && bytes[at] == '\0'; ++tries) at = random.below(bytes.size());
  return std::min(at + random.below(4), bytes.size() - 1);
}

Range piece_in(const std::string& bytes, Random& random) {
  const std::size_t begin = place_in(bytes, random);
  return {begin, begin + 1 + random.below(std::min<std::size_t>(bytes.size() - begin, 64))};
}

void flip_bits(std::string& bytes, Random& random) {
  for (std::size_t flips = 1 + random.below(4); flips > 0; --flips) {
    char& byte = bytes[place_in(bytes, random)];
    byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << random.below(8)));
  }
}

// A number of 1, 2, 4 or 8 bytes, in either byte order, at one of the values where sizes go wrong.
void overwrite(std::string& bytes, Random& random) {
  constexpr std::array<std::uint64_t, 14> values = {0,
                                                    1,
                                                    2,
                                                    0x7F,
                                                    0x80,
                                                    0xFF,
                                                    0xFFFF,
                                                    0x7FFFFFFF,
                                                    0x80000000,
                                                    0xFFFFFFFF,
                                                    std::uint64_t{1} << 32U,
                                                    std::uint64_t{1} << 62U,
                                                    std::uint64_t{1} << 63U,
                                                    ~std::uint64_t{0}};
  const std::uint64_t value = random.pick(values);
  const std::size_t width = std::size_t{1} << random.below(4);
  const bool big_endian = random.one_in(2);
  const std::size_t at = place_in(bytes, random);
  for (std::size_t i = 0; i < width && at + i < bytes.size(); ++i) {
    const std::size_t digit = big_endian ? width - 1 - i : i;
    bytes[at + i] = static_cast<char>(value >> (8 * digit) & 0xFFU);
  }
}

void truncate(std::string& bytes, Random& random) {
  bytes.resize(random.below(bytes.size()));
}

void extend(std::string& bytes, Random& random) {
  const std::size_t more = 1 + random.below(random.one_in(8) ? 100'000 : 64);
  bytes.append(more, random.one_in(2) ? '\0' : static_cast<char>(random.below(256)));
}

void double_piece(std::string& bytes, Random& random) {
  const Range piece = piece_in(bytes, random);
  bytes.insert(random.below(bytes.size() + 1), std::string(bytes, piece.begin, piece.size()));
}

void take_out_piece(std::string& bytes, Random& random) {
  const Range piece = piece_in(bytes, random);
  bytes.erase(piece.begin, piece.size());
}

// Two pieces of the same length change places; where they overlap the second wins.
void swap_pieces(std::string& bytes, Random& random) {
  const Range first = piece_in(bytes, random);
  const std::size_t second = std::min(place_in(bytes, random), bytes.size() - first.size());
  const std::string a(bytes, first.begin, first.size());
  const std::string b(bytes, second, first.size());
  bytes.replace(first.begin, b.size(), b);
  bytes.replace(second, a.size(), a);
}

// Half of the time at the same place, as after a file that was overwritten in part.
void splice(std::string& bytes, const std::string& other, Random& random) {
  const std::size_t at = random.below(bytes.size());
  const std::size_t from = random.one_in(2) ? std::min(at, other.size()) : random.below(other.size() + 1);
  bytes.replace(at, std::string::npos, other, from, std::string::npos);
}

bool in_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("_.+-").find(c) != std::string_view::npos;
}

bool is_number(std::string_view word) {
  const std::size_t sign = word[0] == '-' || word[0] == '+' ? 1 : 0;
  return word.size() > sign && std::isdigit(static_cast<unsigned char>(word[sign])) != 0;
}

// Places of the words of a text, or of its numbers alone.
std::vector<Range> words_in(const std::string& text, bool numbers_alone = false) {
  std::vector<Range> words;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t begin = at;
    while (at < text.size() && in_word(text[at])) ++at;
    const bool counts = at > begin && (!numbers_alone || is_number(std::string_view(text).substr(begin, at - begin)));
    if (counts) words.push_back({begin, at});
  }
  return words;
}

void replace_number(std::string& text, Random& random) {
  static const std::vector<std::string> values = {"0",
                                                  "-1",
                                                  "1e308",
                                                  "-1e308",
                                                  "1e-320",
                                                  "nan",
                                                  "-nan",
                                                  "inf",
                                                  "-inf",
                                                  "",
                                                  "0.5",
                                                  "1",
                                                  "2147483647",
                                                  "2147483648",
                                                  "4294967296",
                                                  "9007199254740993",
                                                  "9223372036854775807",
                                                  "-9223372036854775808",
                                                  "9223372036854775808",
                                                  "0x7FFFFFFF",
                                                  "1e999",
                                                  "true",
                                                  "\"1\"",
                                                  "[1, 2]",
                                                  "[]",
                                                  "{}",
                                                  "1979-05-27",
                                                  "00",
                                                  "1_000"};
  const std::vector<Range> numbers = words_in(text, true);
  if (numbers.empty()) return;
  const Range number = random.pick(numbers);
  text.replace(number.begin, number.size(), random.pick(values));
}

void replace_word(std::string& text, const std::vector<std::string>& known, Random& random) {
  const std::vector<Range> words = words_in(text);
  if (words.empty()) return;
  const Range word = random.pick(words);
  const Range other = random.pick(words);
  const std::string by = random.one_in(2) ? random.pick(known) : std::string(text, other.begin, other.size());
  text.replace(word.begin, word.size(), random.one_in(8) ? '"' + by + " \\u0000.\"" : by);
}

Range line_in(const std::string& text, Random& random) {
  const std::size_t at = random.below(text.size() + 1);
  const std::size_t before = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
  const std::size_t behind = text.find('\n', at);
  return {before == std::string::npos ? 0 : before + 1, behind == std::string::npos ? text.size() : behind + 1};
}

void take_out_line(std::string& text, Random& random) {
  const Range line = line_in(text, random);
  text.erase(line.begin, line.size());
}

void double_line(std::string& text, Random& random) {
  const Range line = line_in(text, random);
  text.insert(line_in(text, random).begin, std::string(text, line.begin, line.size()));
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (; times > 0; --times) all += text;
  return all;
}

// Lists in lists, tables in tables, keys of many parts: whoever goes down into them by recursion needs a limit.
void nest(std::string& text, Random& random) {
  constexpr std::array<std::size_t, 5> depths = {2, 100, 1000, 9'000, 100'000};
  const std::size_t depth = random.pick(depths);
  const std::size_t line = line_in(text, random).begin;
  switch (random.below(4)) {
    case 0:
      text.insert(line, repeated("a.", depth));
      return;
    case 1:
      text.insert(line, "[" + repeated("a.", depth) + "a]\n");
      return;
    default:
      break;
  }
  const std::vector<Range> words = words_in(text);
  if (words.empty()) return;
  const Range word = random.pick(words);
  const bool list = random.one_in(2);
  if (!random.one_in(4)) text.insert(word.end, repeated(list ? "]" : "}", depth));
  text.insert(word.begin, repeated(list ? "[" : "{a = ", depth));
}

}  // namespace

Random::Random(std::uint64_t seed, std::size_t kind, std::uint64_t number) {
  std::seed_seq words{seed, seed >> 32U, std::uint64_t{kind}, number, number >> 32U};
  engine_.seed(words);
}

void mutate_bytes(std::string& bytes, const std::vector<std::string>& seeds, Random& random) {
  // What keeps most of a file comes more often: of a file that is cut only the first bytes are read.
  constexpr std::array<void (*)(std::string&, Random&), 12> changes = {
      flip_bits, flip_bits,    flip_bits,      overwrite,   overwrite, overwrite,
      overwrite, double_piece, take_out_piece, swap_pieces, truncate,  extend};
  for (std::size_t left = 1 + random.below(4); left > 0 && !bytes.empty(); --left) {
    if (random.one_in(16)) {
      splice(bytes, random.pick(seeds), random);
    } else {
      random.pick(changes)(bytes, random);
    }
  }
}

void mutate_text(std::string& text, const std::vector<std::string>& words, const std::vector<std::string>& seeds,
                 Random& random) {
  constexpr std::array<void (*)(std::string&, Random&), 4> changes = {replace_number, replace_number, take_out_line,
                                                                      double_line};
  for (std::size_t left = 1 + random.below(4); left > 0; --left) {
    if (random.one_in(12)) {
      mutate_bytes(text, seeds, random);
    } else if (random.one_in(30)) {
      nest(text, random);
    } else if (random.one_in(3)) {
      replace_word(text, words, random);
    } else {
      random.pick(changes)(text, random);
    }
  }
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (const Range word : words_in(text)) words.emplace_back(text, word.begin, word.size());
  return words;
}

}  // namespace lockstep::fuzz
