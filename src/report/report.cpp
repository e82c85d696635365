#include "report/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "io/files.hpp"
#include "lockstep/error.hpp"
#include "lockstep/version.hpp"
#include "report/page_parts.hpp"

namespace lockstep {
namespace {

// A browser ends a script at the first "</script", whatever it is part of. In JSON these occur within texts alone.
std::string as_script_data(const nlohmann::ordered_json& json) {
  std::string text;
  for (const char c : json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) {
    if (c == '<' || c == '>' || c == '&') {
      text += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      text += c;
    }
  }
  return text;
}

// Names may be alike; folders tell them apart.
std::vector<std::string> labels_of(std::span<const RunFiles> runs) {
  std::vector<std::string> labels;
  for (const RunFiles& run : runs) {
    const bool alone = std::ranges::count(runs, run.name, &RunFiles::name) == 1;
    labels.push_back(alone ? run.name : run.folder);
  }
  return labels;
}

// Puts the parts in the place of "{{name}}" in the page, each once; what is put in is not looked at again.
std::string fill(std::string_view page, std::span<const std::pair<std::string_view, std::string_view>> parts) {
  std::string filled;
  for (const auto& [name, text] : parts) {
    const std::string place = fmt::format("{{{{{}}}}}", name);
    const std::size_t at = page.find(place);
    if (at == std::string_view::npos) throw Error(ErrorKind::internal, fmt::format("the page has no {}", place));
    filled += page.substr(0, at);
    filled += text;
    page.remove_prefix(at + place.size());
  }
  return filled.append(page);
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
  const std::array<std::pair<std::string_view, std::string_view>, 4> parts{
      {{"style", kPageStyle}, {"numbers", numbers}, {"charts", kChartScript}, {"script", kPageScript}}};
  return fill(kPageHtml, parts);
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
