#include "cli/data_option.hpp"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "config/data_place.hpp"
#include "config/file_pattern.hpp"
#include "config/run_file.hpp"
#include "io/hdf5.hpp"
#include "lockstep/error.hpp"

namespace lockstep::cli {
namespace {

// An HDF5 file whose root holds no x. What cannot be opened is told about by those who read it.
bool keeps_groups(const std::string& file) {
  try {
    return !h5::File::open(file).exists("/x");
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

DataSource chosen_data(const CommandInput& input, const char* name, const RunConfig& run) {
  const bool needs_answers = std::string_view(name) == "data";  // else they are what is asked for
  const auto split = input.options["split"].as<std::string>();
  if (input.options.count(name) != 0) {
    const auto file = input.options[name].as<std::string>();
    if (file.empty()) throw Error(ErrorKind::usage, fmt::format("--{}: expected a file, found nothing", name));
    const bool is_toml = file.front() == '{' || file.front() == '[';
    if (is_toml && !find_place(file).found) {
      DataSource source = parse_source(file, fmt::format("--{}", name));
      if (needs_answers && !source.more_x.empty() && source.y.empty()) {
        throw Error(ErrorKind::usage, fmt::format("--{}: x has variables, and y is missing: name it too", name));
      }
      return source;
    }
    const DataPlace place = find_place(file);
    const bool named = !place.group.empty();
    const std::vector<std::string> files = place.many ? matching_files(place.file) : std::vector{file};
    return {!named && !files.empty() && keeps_groups(files.front()) ? fmt::format("{}:/{}", file, split) : file, ""};
  }
  const bool held_out = split == "validation";
  if (split != "test" && split != "train" && !held_out) {
    throw Error(ErrorKind::usage,
                fmt::format("--split: expected train, validation or test, found \"{}\"; or name a file with --{}",
                            split, name));
  }
  const DataSource& source = split == "test" ? run.data.test : run.data.train;
  if (source.empty() || (held_out && run.data.validation == 0)) {
    throw Error(ErrorKind::usage, fmt::format("the run has no {} data; name some with --{}", split, name));
  }
  return source;
}

}  // namespace lockstep::cli
