#include "cli/csv_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <span>

#include "core/number_text.hpp"
#include "core/range.hpp"
#include "data/readers.hpp"
#include "feed/windowed_data.hpp"
#include "import/csv_file.hpp"
#include "import/csv_rows.hpp"
#include "import/field_text.hpp"
#include "io/hdf5.hpp"
#include "lockstep/error.hpp"

namespace lockstep::cli {
namespace {

constexpr std::size_t kSmall = std::size_t{1} << 20U;  // bytes of a file of which one rank finds all rows

// Looked through by all ranks, a part each: what one finds depends on how many quotes the others have met.
RowIndex index_rows(const Communicator& comm, const std::string& file, char delimiter) {
  comm.pulse().enter(Phase::reading);
  const auto ranks = static_cast<std::size_t>(comm.size());
  const auto rank = static_cast<std::size_t>(comm.rank());
  const auto alive = [&] { comm.pulse().beat(); };
  std::uint64_t quotes = 0;
  std::size_t bytes_in_all = 0;
  Range mine;
  comm.together(
      [&] {
        bytes_in_all = CsvFile(file).bytes();
        mine = bytes_in_all > kSmall ? part_of(bytes_in_all, rank, ranks) : Range{0, rank == 0 ? bytes_in_all : 0};
        if (ranks > 1) quotes = count_quotes(file, mine, alive);  // before the first one's part there are none
      },
      Blame::host);
  std::vector<std::int64_t> of_ranks(ranks, 0);
  of_ranks[rank] = static_cast<std::int64_t>(quotes);
  comm.sum(of_ranks);
  std::int64_t before = 0;
  for (std::size_t r = 0; r < rank; ++r) before += of_ranks[r];
  std::vector<RowPart> parts;
  const auto scan = [&](Range bytes, bool in_quotes) {
    RowPart part;
    comm.together(
        [&] {
          if (!bytes.empty()) part = scan_rows(file, delimiter, bytes, in_quotes, alive);
        },
        Blame::host);
    parts.clear();
    for (const std::string& text : comm.gather_texts(encode(part))) parts.push_back(decode_part(text));
  };
  scan(mine, before % 2 != 0);
  const bool stray = std::ranges::any_of(parts, &RowPart::stray);
  if (stray) scan(rank == 0 ? Range{0, bytes_in_all} : Range{}, false);  // the count of quotes tells nothing
  return RowIndex(parts);
}

}  // namespace

bool is_csv(const StoredNet& stored, const std::string& file) {
  const std::string ending = std::filesystem::path(file).extension().string();
  if (stored.info.columns.recipe.empty() && ending != ".csv" && ending != ".tsv") return false;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return false;
  std::array<char, 8> head{};
  std::ifstream(file, std::ios::binary).read(head.data(), head.size());
  const auto bytes = std::as_bytes(std::span(head));
  const std::string_view text(head.data(), head.size());
  if (looks_like_idx(bytes) || looks_like_npy(bytes) || text == "\x89HDF\r\n\x1a\n") return false;
  try {
    (void)h5::File::open(file);  // behind a user block, say
    return false;
  } catch (const Error&) {
    return true;
  }
}

std::unique_ptr<CsvSamples> open_csv(const Communicator& comm, const StoredNet& stored, const std::string& file,
                                     const CsvReading& reading, std::vector<std::string>& notices) {
  std::unique_ptr<CsvSamples> samples;
  comm.together(
      [&] {
        const std::string& recipe = stored.info.columns.recipe;
        if (recipe.empty()) {
          throw Error(ErrorKind::data,
                      fmt::format("{}: {} is a table of text, and the net was not trained on a table that lockstep "
                                  "import has made, so that how to read it is not known; give HDF5, IDX or .npy",
                                  stored.path, file));
        }
        if (wants_windows(stored.run.data)) {
          throw Error(
              ErrorKind::data,
              fmt::format("{}: the net takes windows of rows, which are not cut of a table of text; make HDF5 of "
                          "it (lockstep import)",
                          file));
        }
        samples = std::make_unique<CsvSamples>(file, recipe_of_json(recipe, stored.path), reading);
      },
      Blame::host);
  RowIndex index = index_rows(comm, file, samples->delimiter());
  comm.together([&] { samples->take(std::move(index)); }, Blame::host);
  notices.insert(notices.end(), samples->notices().begin(), samples->notices().end());
  return samples;
}

void count_unknown_once(const Communicator& comm, CsvSamples& samples, std::size_t rows) {
  const std::uint32_t some = samples.met().unknown.empty() ? 0 : 1;
  if (comm.combine(some) == 0) return;
  comm.pulse().enter(Phase::reading);
  comm.together(
      [&] {
        samples.count_unknown(
            part_of(rows, static_cast<std::size_t>(comm.rank()), static_cast<std::size_t>(comm.size())));
      },
      Blame::host);
}

CsvMet met_by_all(const Communicator& comm, const CsvSamples& samples) {
  CsvMet all;
  for (const std::string& text : comm.gather_texts(encode(samples.met()))) join(all, text);
  return all;
}

std::vector<std::string> unknown_notices(const CsvMet& met, const std::string& file, std::size_t rows) {
  constexpr std::size_t most = 5;
  std::vector<std::string> notices;
  for (const auto& [column, unknown] : met.unknown) {
    std::vector<std::pair<std::size_t, std::string>> first;
    for (const auto& [text, row] : unknown.texts) first.emplace_back(row, shown(text));
    std::sort(first.begin(), first.end());
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < std::min(first.size(), most); ++i) texts.push_back(first[i].second);
    notices.push_back(fmt::format(
        "{}: {} of {} have a category of '{}' that the net does not know ({}{}): all its "
        "features are 0 there",
        file, unknown.fields, count_text(rows, "sample"), column, listed(texts), first.size() > most ? ", ..." : ""));
  }
  return notices;
}

}  // namespace lockstep::cli
