#include "report/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "io/files.hpp"
#include "lockstep/version.hpp"
#include "report/page_file.hpp"
#include "report/page_parts.hpp"

namespace lockstep {
namespace {

// Names may be alike; folders tell them apart.
std::vector<std::string> labels_of(std::span<const RunFiles> runs) {
  std::vector<std::string> labels;
  for (const RunFiles& run : runs) {
    const bool alone = std::ranges::count(runs, run.name, &RunFiles::name) == 1;
    labels.push_back(alone ? run.name : run.folder);
  }
  return labels;
}

}  // namespace

std::string format_report(std::span<const RunFiles> runs, const PageLimits& limits) {
  constexpr std::size_t kLeastPoints = 200;
  PageLimits shared = limits;  // so that the page of many runs stays small enough for a browser
  shared.points =
      std::max(std::min(kLeastPoints, limits.points), limits.points / std::max<std::size_t>(1, runs.size()));
  nlohmann::ordered_json data{{"format", "lockstep-report"}, {"version", kVersion}, {"points", shared.points}};
  const std::vector<std::string> labels = labels_of(runs);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    nlohmann::ordered_json run = page_data(runs[i], shared);
    run["label"] = labels[i];
    data["runs"].push_back(std::move(run));
  }
  const std::string numbers = as_script_data(data);
  const std::array<PagePart, 4> parts{
      {{"style", kPageStyle}, {"numbers", numbers}, {"charts", kChartScript}, {"script", kPageScript}}};
  return fill_page(kPageHtml, parts);
}

std::vector<std::string> write_report(std::span<const std::string> folders, const std::string& path,
                                      const std::function<void()>& alive) {
  std::vector<RunFiles> runs;
  std::vector<std::string> notes;
  for (const std::string& folder : folders) {
    runs.push_back(read_run_files(folder, alive));
    for (const std::string& note : runs.back().notes) notes.push_back(fmt::format("{}: {}", folder, note));
  }
  const std::string page = format_report(runs);
  const std::array<std::span<const std::byte>, 1> parts{std::as_bytes(std::span(page))};
  write_file_atomically(path, parts, alive);
  return notes;
}

}  // namespace lockstep
