#include "data/file_prints.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "core/hash.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostFiles = 5;

// The finishing steps of MurmurHash3 (A. Appleby): every bit of a number reaches all others.
std::uint64_t mixed(std::uint64_t value) noexcept {
  value ^= value >> 33U;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33U;
  value *= 0xc4ceb9fe1a85ec53ULL;
  return value ^ (value >> 33U);
}

// How much of the names is the folder that they all lie in.
std::size_t common_folder(std::span<const JoinedFile> files) {
  const std::string& first = files.front().source;
  std::size_t length = std::min(first.find(":/"), first.size());
  for (const JoinedFile& file : files) {
    length = std::min({length, file.source.size(), file.source.find(":/")});
    while (first.compare(0, length, file.source, 0, length) != 0) --length;
  }
  const std::size_t slash = first.substr(0, length).rfind('/');
  return slash == std::string::npos ? 0 : slash + 1;
}

struct Entry {
  std::string_view rows, print;
  std::size_t place;
};

std::string_view until_space(std::string_view& text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

std::map<std::string_view, Entry> entries_of(std::span<const std::string> texts) {
  std::map<std::string_view, Entry> entries;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::string_view rest = texts[i];
    const std::string_view rows = until_space(rest);
    const std::string_view print = until_space(rest);
    entries.emplace(rest, Entry{rows, print, i});
  }
  return entries;
}

}  // namespace

void FilePrints::add(std::size_t table, const Table& rows, std::size_t first) {
  if (!files_) return;
  auto file = std::ranges::upper_bound(*files_, first, {}, [](const JoinedFile& f) { return f.rows.end; });
  const std::size_t row_bytes = rows.columns * bytes_of(rows.type);
  for (std::size_t i = 0; i < rows.rows; ++i) {
    while (first + i >= file->rows.end) ++file;
    const std::uint64_t number = (first + i - file->rows.begin) * 8 + table;
    sums_[static_cast<std::size_t>(file - files_->begin())] +=
        mixed(hash_row(rows.bytes.subspan(i * row_bytes, row_bytes)) + mixed(number));
  }
}

std::vector<std::int64_t> FilePrints::words() const {
  std::vector<std::int64_t> words;
  for (const std::uint64_t sum : sums_) {
    words.push_back(static_cast<std::int64_t>(sum & 0xffffffffU));
    words.push_back(static_cast<std::int64_t>(sum >> 32U));
  }
  return words;
}

std::vector<std::string> FilePrints::texts(std::span<const std::int64_t> words) const {
  std::vector<std::string> texts;
  if (!files_) return texts;
  const std::size_t folder = common_folder(*files_);
  for (std::size_t i = 0; i < files_->size(); ++i) {
    const JoinedFile& file = (*files_)[i];
    const std::uint64_t print =
        static_cast<std::uint64_t>(words[2 * i]) + (static_cast<std::uint64_t>(words[2 * i + 1]) << 32U);
    texts.push_back(fmt::format("{} {:016x} {}", file.rows.size(), print, file.source.substr(folder)));
  }
  return texts;
}

std::string changed_files(std::span<const std::string> before, std::span<const std::string> now) {
  if (before.empty() || now.empty()) return "";
  const auto old_ones = entries_of(before);
  const auto new_ones = entries_of(now);
  std::vector<std::string> missing, added, changed;
  bool moved = false;
  for (const auto& [name, entry] : old_ones) {
    const auto found = new_ones.find(name);
    if (found == new_ones.end()) {
      missing.emplace_back(name);
    } else if (found->second.rows != entry.rows) {
      changed.push_back(fmt::format("{} ({} rows, now {})", name, entry.rows, found->second.rows));
    } else if (found->second.print != entry.print) {
      changed.emplace_back(name);
    } else {
      moved = moved || found->second.place != entry.place;
    }
  }
  for (const auto& [name, entry] : new_ones) {
    if (!old_ones.contains(name)) added.emplace_back(name);
  }
  std::vector<std::string> parts;
  for (const auto& [what, names] : {std::pair{"missing", &missing}, {"added", &added}, {"changed", &changed}}) {
    if (names->empty()) continue;
    const std::size_t shown = std::min(names->size(), kMostFiles);
    parts.push_back(fmt::format("{}: {}{}", what, fmt::join(std::span(*names).first(shown), ", "),
                                names->size() > shown ? fmt::format(" and {} more", names->size() - shown) : ""));
  }
  if (parts.empty() && moved) return "the same files in another order";
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace lockstep
