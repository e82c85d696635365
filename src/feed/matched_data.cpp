#include "feed/matched_data.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/function_ref.hpp"
#include "core/hash.hpp"
#include "core/number_text.hpp"
#include "core/range.hpp"
#include "feed/windowed_data.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::string hash_of(const OpenDataset& data) {
  Hash hash;
  for (const auto* names :
       {&data.columns.features, &data.columns.targets, &data.columns.categorical, &data.class_names}) {
    hash.integer(names->size());
    for (const std::string& name : *names) hash.text(name);
  }
  hash.text(data.columns.recipe);
  return hash.hex();
}

// "'teal', 'green' and 3 more"
std::string some_of(const std::vector<std::string>& texts) {
  constexpr std::size_t most = 5;
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(texts.size(), most); ++i) shown.push_back("'" + texts[i] + "'");
  const std::size_t more = texts.size() - shown.size();
  return fmt::format("{}{}", fmt::join(shown, ", "), more == 0 ? "" : fmt::format(" and {} more", more));
}

}  // namespace

KnownNames known_names(const Dataset& train, const Loss& loss) {
  return {.source = train.source,
          .columns = train.columns,
          .classes = loss.task() == Task::regression ? std::vector<std::string>{} : train.class_names};
}

KnownNames known_names(const CheckpointInfo& info, const Loss& loss, const std::string& path) {
  return {.source = path,
          .columns = info.columns,
          .classes = loss.task() == Task::regression ? std::vector<std::string>{} : info.class_names};
}

void match_names(const Communicator& comm, OpenDataset& data, const KnownNames& known,
                 std::vector<std::string>& notices) {
  comm.pulse().enter(Phase::reading);
  const std::vector<std::string> of_readers = notices_of(data);
  notices.insert(notices.end(), of_readers.begin(), of_readers.end());
  const std::string own = hash_of(data);
  const std::string first = comm.broadcast_text(own);
  NameMatch match;
  comm.together(
      [&] {
        if (own != first) {
          throw Error(ErrorKind::data, fmt::format("{}: the names in it are not those that rank 0 has found; all hosts "
                                                   "need the same files",
                                                   data.source));
        }
        match = match_names(data, known);
      },
      Blame::host);
  notices.insert(notices.end(), match.notices.begin(), match.notices.end());
  if (match.unknown.empty()) return;
  const std::size_t rows = data.x->header().rows;
  std::vector<std::int64_t> counts;
  comm.together(
      [&] {
        const Range mine = part_of(rows, static_cast<std::size_t>(comm.rank()), static_cast<std::size_t>(comm.size()));
        counts = count_unknown(match, mine, [&] { comm.pulse().beat(); });
      },
      Blame::host);
  comm.sum(counts);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const UnknownCategories& column = match.unknown[i];
    notices.push_back(fmt::format(
        "{}: {} of {} have a category of '{}' that {} does not know ({}): all its features "
        "are 0 there",
        data.source, counts[i], count_text(rows, "sample"), column.column, known.source, some_of(column.texts)));
  }
}

namespace {

OpenDataset open_with(const Communicator& comm, FunctionRef<OpenDataset()> open, const DataSource& source,
                      const DataConfig& config, const KnownNames& known, std::vector<std::string>& notices) {
  OpenDataset data;
  bool windows = false;
  comm.together(
      [&] {
        windows = wants_windows(config);
        data = open();
      },
      Blame::host);
  if (!windows) {
    match_names(comm, data, known, notices);
    return data;
  }
  const std::vector<Range> series = take_series(comm, data, source, config);
  match_names(comm, data, names_of_rows(known, config), notices);
  comm.together([&] { cut_windows(data, series, config, notices); });
  return data;
}

}  // namespace

OpenDataset open_matched(const Communicator& comm, const DataSource& source, const DataConfig& config,
                         const KnownNames& known, std::vector<std::string>& notices) {
  return open_with(
      comm, [&] { return open_dataset(source, {}); }, source, config, known, notices);
}

OpenDataset open_matched_samples(const Communicator& comm, const DataSource& source, const DataConfig& config,
                                 const KnownNames& known, std::vector<std::string>& notices) {
  return open_with(
      comm, [&] { return open_samples(source); }, source, config, known, notices);
}

}  // namespace lockstep
