#include "report/run_files.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "core/number_text.hpp"
#include "io/files.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

bool there_is(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

std::string text_of(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// "runs/digits" and "runs/digits/" are one folder.
std::string last_part(const std::string& folder) {
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

void read_keys(RunFiles& files) {
  try {
    const RunConfig run = parse_run(files.run, files.folder + "/run.toml");
    files.keys = flatten(run);
    files.name = run.name;
  } catch (const Error& error) {
    files.notes.push_back(fmt::format("run.toml is shown as text alone: {}", error.what()));
  }
}

CsvTable read_table(RunFiles& files, const char* name, const std::function<void()>& alive) {
  constexpr std::string_view kTexts[] = {"slowest_host", "host"};
  const std::string path = fmt::format("{}/{}", files.folder, name);
  if (!there_is(path)) return {};
  CsvTable table = read_csv(path, kTexts, alive);
  if (table.left_out != 0) {
    files.notes.push_back(fmt::format("{} of {} left out, not being whole", count_text(table.left_out, "row"), name));
  }
  return table;
}

nlohmann::ordered_json read_json(RunFiles& files, const char* name) {
  const std::string path = fmt::format("{}/{}", files.folder, name);
  if (!there_is(path)) return {};
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(text_of(path), nullptr, false);
  if (json.is_object()) return json;
  files.notes.push_back(fmt::format("{} is left out: it is no JSON object", name));
  return {};
}

}  // namespace

RunFiles read_run_files(const std::string& folder, const std::function<void()>& alive) {
  if (!there_is(folder)) throw Error(ErrorKind::data, fmt::format("no folder {}", folder));
  if (!there_is(folder + "/run.toml") || !there_is(folder + "/metrics.csv")) {
    throw Error(
        ErrorKind::data,
        fmt::format("{}: expected the folder of a run, with run.toml and metrics.csv (what "
                    "lockstep train was given as --output; runs/NAME by itself), found {}",
                    folder, std::filesystem::is_directory(folder) ? "none of them, or one alone" : "no folder"));
  }
  RunFiles files;
  files.folder = folder;
  files.name = last_part(folder);
  files.run = text_of(folder + "/run.toml");
  read_keys(files);
  files.metrics = read_table(files, "metrics.csv", alive);
  files.steps = read_table(files, "steps.csv", alive);
  files.times = read_table(files, "times.csv", alive);
  files.ranks = read_table(files, "ranks.csv", alive);
  files.status = read_json(files, "status.json");
  files.summary = read_json(files, "summary.json");
  files.scores = read_json(files, "scores.json");
  files.importance = read_json(files, "importance.json");
  return files;
}

}  // namespace lockstep
