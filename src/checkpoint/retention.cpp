#include "checkpoint/retention.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/folder_names.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::optional<std::uint64_t> step_of(const std::string& name) {
  constexpr std::string_view prefix = "step-";
  constexpr std::string_view suffix = ".h5";
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return {};
  const std::string digits = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  std::uint64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  if (error != std::errc{} || end != digits.data() + digits.size()) return {};
  if (fmt::format("{:08}", step) != digits) return {};  // not as we write it
  return step;
}

void remove_file(const std::string& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) throw Error(ErrorKind::io, fmt::format("cannot remove the old checkpoint {}: {}", path, error.message()));
}

}  // namespace

std::string checkpoint_path(const std::string& folder, std::uint64_t step) {
  return fmt::format("{}/step-{:08}.h5", folder, step);
}

std::vector<CheckpointFile> list_checkpoints(const std::string& folder) {
  std::error_code error;
  std::vector<CheckpointFile> files;
  if (!std::filesystem::exists(folder, error)) return files;
  const std::vector<std::string> names = names_in(folder, error);
  if (error) throw Error(ErrorKind::io, fmt::format("cannot list the folder {}: {}", folder, error.message()));
  for (const std::string& name : names) {
    if (const auto step = step_of(name)) files.push_back({*step, (std::filesystem::path(folder) / name).string()});
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.step > b.step; });
  return files;
}

std::string checkpoint_file(const std::string& name) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(name, ignored)) return name;
  for (const std::string& folder : {name + "/checkpoints", name}) {
    const std::vector<CheckpointFile> files = list_checkpoints(folder);
    if (!files.empty()) return files.front().path;
  }
  throw Error(ErrorKind::data, fmt::format("there is no checkpoint in {} or {}/checkpoints", name, name));
}

void prune_checkpoints(const std::string& folder, std::int64_t keep, std::uint64_t last_step,
                       std::optional<std::uint64_t> best_step) {
  std::vector<CheckpointFile> files = list_checkpoints(folder);
  std::erase_if(files, [&](const CheckpointFile& file) { return file.step > last_step; });
  const auto newest = static_cast<std::size_t>(std::max<std::int64_t>(keep, 1));
  for (std::size_t i = newest; i < files.size(); ++i) {
    if (files[i].step != best_step) remove_file(files[i].path);
  }
}

void remove_unfinished_checkpoints(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> unfinished;
  for (const std::string& name : names_in(folder, error)) {
    // ".step-00000042.h5.tmp-1234", see write_file_atomically
    const auto end = name.find(".tmp-");
    if (name.starts_with(".") && end != std::string::npos && step_of(name.substr(1, end - 1))) {
      unfinished.push_back((std::filesystem::path(folder) / name).string());
    }
  }
  if (error) throw Error(ErrorKind::io, fmt::format("cannot list the folder {}: {}", folder, error.message()));
  for (const std::string& path : unfinished) remove_file(path);
}

void remove_checkpoints(const std::string& folder) {
  for (const CheckpointFile& file : list_checkpoints(folder)) remove_file(file.path);
}

}  // namespace lockstep
