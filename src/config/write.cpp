// A run as text: for the run folder, the checkpoint, the comparison on resume and the documentation.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "config/data_place.hpp"
#include "config/file_pattern.hpp"
#include "config/keys.hpp"
#include "config/run_file.hpp"
#include "core/number_text.hpp"
#include "core/visible_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// A basic string on one line; toml++ writes texts with line ends in a way that does not always read back.
std::string quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (code < 0x20U || code == 0x7FU) {
      quoted += fmt::format("\\u{:04X}", code);
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

// An option's name as a key: in quotes unless it is of the characters that a key may have without. A run file may name
// an option anything until the layer or optimizer sees it.
std::string key_text(const std::string& name) {
  constexpr std::string_view bare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  return name.empty() || name.find_first_not_of(bare) != std::string::npos ? quote(name) : name;
}

std::string to_toml(std::int64_t value) {
  return fmt::format("{}", value);
}
std::string to_toml(bool value) {
  return value ? "true" : "false";
}
std::string to_toml(const std::string& value) {
  return quote(value);
}
std::string to_toml(double value) {
  return number_text(value);
}
template <class T>
std::string to_toml(const std::vector<T>& values);
std::string to_toml(const OptionValue& value) {
  return std::visit([](const auto& held) { return to_toml(held); }, value.get());
}
std::string to_toml(const std::string& first, std::vector<std::string> more) {
  if (more.empty()) return quote(first);
  more.insert(more.begin(), first);
  return to_toml(more);
}
std::string to_toml(const DataSource& source) {
  if (source.empty()) return "";
  if (source.y.empty()) return to_toml(source.x, source.more);
  return fmt::format("{{x = {}, y = {}}}", to_toml(source.x, source.more_x), to_toml(source.y, source.more_y));
}
std::string typed(const std::string& type, const std::string& name, const std::vector<std::string>& inputs,
                  const Options& options) {
  std::string text = "{type = " + quote(type);
  if (!name.empty()) text += ", name = " + quote(name);
  if (!inputs.empty()) text += ", inputs = " + to_toml(inputs);
  for (const auto& [key, value] : options.values()) text += fmt::format(", {} = {}", key_text(key), to_toml(value));
  return text + "}";
}
std::string to_toml(const Component& component) {
  return typed(component.type, "", {}, component.options);
}
std::string to_toml(const EarlyStop& stop) {
  return fmt::format("{{monitor = {}, patience = {}, min_delta = {}, restore_best = {}}}", quote(stop.monitor),
                     stop.patience, to_toml(stop.min_delta), to_toml(stop.restore_best));
}
std::string to_toml(const ThresholdConfig& threshold) {
  return threshold.rule.empty() ? to_toml(threshold.value) : quote(threshold.rule);
}
std::string to_toml(const LayerConfig& layer) {
  return typed(layer.type, layer.name, layer.inputs, layer.options);
}
template <class T>
std::string to_toml(const std::vector<T>& values) {
  std::vector<std::string> texts;
  for (const T& value : values) texts.push_back(to_toml(value));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}
template <class T>
std::string to_toml(const std::optional<T>& value) {
  return value ? to_toml(*value) : "";
}

std::string type_name(const std::int64_t&) {
  return "integer";
}
std::string type_name(const bool&) {
  return "true or false";
}
std::string type_name(const double&) {
  return "number";
}
std::string type_name(const std::string&) {
  return "text";
}
std::string type_name(const DataSource&) {
  return "text, list or table";
}
std::string type_name(const Component&) {
  return "text or table";
}
std::string type_name(const EarlyStop&) {
  return "integer or table";
}
std::string type_name(const ThresholdConfig&) {
  return "number or text";
}
std::string type_name(const std::vector<std::string>&) {
  return "list of texts";
}
std::string type_name(const std::vector<LayerConfig>&) {
  return "list of tables";
}
template <class T>
std::string type_name(const std::optional<T>&) {
  return type_name(T{});
}

// The first of `folders` that has `file`, with it; the places looked at go to `tried`.
std::optional<std::string> find_in(const std::string& file, std::span<const std::string> folders,
                                   std::vector<std::string>& tried) {
  for (const std::string& folder : folders) {
    const std::filesystem::path place =
        std::filesystem::absolute(std::filesystem::path(folder) / file).lexically_normal();
    std::error_code ignored;
    if (std::filesystem::exists(place, ignored)) return place.string();
    if (std::find(tried.begin(), tried.end(), place.string()) == tried.end()) tried.push_back(place.string());
  }
  return {};
}

// The run and its checkpoints keep the name, as TOML, which is UTF-8.
void check_text(const std::string& file) {
  for (std::string_view rest = file; !rest.empty(); rest.remove_prefix(utf8_size(rest))) {
    if (utf8_size(rest) == 0) {
      throw Error(ErrorKind::data, fmt::format("{}: the name is not UTF-8 text; rename the file or its folder", file));
    }
  }
}

std::string with_name(const std::string& path, std::span<const std::string> folders) {
  DataPlace place = find_place(path, folders);
  if (place.many) {
    place.file = std::filesystem::absolute(place.file).lexically_normal().string();
  } else {
    std::vector<std::string> tried;
    const auto file = find_in(place.file, folders, tried);
    if (!file) {
      throw Error(ErrorKind::data,
                  fmt::format("{} {} (looked for {})", is_pattern(place.file) ? "no file matches" : "no file",
                              place.file, fmt::join(tried, " and ")));
    }
    place.file = *file;
  }
  check_text(place.file);
  return place.text();
}

}  // namespace

std::vector<KeyValue> flatten(const RunConfig& run) {
  std::vector<KeyValue> keys;
  visit_keys(run, [&](const KeyInfo& info, const auto& member) {
    keys.push_back({std::string(info.name), to_toml(member), info.may_change});
  });
  for (const auto& [key, value] : run.optimizer.options.values()) {
    keys.push_back({"optimizer." + key_text(key), to_toml(value), false});
  }
  return keys;
}

std::string format_run(const RunConfig& run) {
  std::string top;
  std::vector<std::pair<std::string, std::string>> sections;
  for (const KeyValue& entry : flatten(run)) {
    if (entry.value.empty()) continue;
    const auto dot = entry.key.find('.');
    if (dot == std::string::npos) {
      top += fmt::format("{} = {}\n", entry.key, entry.value);
      continue;
    }
    const std::string section = entry.key.substr(0, dot);
    auto place = std::find_if(sections.begin(), sections.end(), [&](const auto& s) { return s.first == section; });
    if (place == sections.end()) place = sections.insert(sections.end(), {section, ""});
    place->second += fmt::format("{} = {}\n", entry.key.substr(dot + 1), entry.value);
  }
  for (const auto& [section, text] : sections) top += fmt::format("\n[{}]\n{}", section, text);
  return top;
}

RunDifference compare_runs(const RunConfig& kept, const RunConfig& now) {
  const std::vector<KeyValue> before = flatten(kept);
  const std::vector<KeyValue> after = flatten(now);
  const auto value_in = [](const std::vector<KeyValue>& keys, const std::string& key) {
    const auto found = std::find_if(keys.begin(), keys.end(), [&](const KeyValue& entry) { return entry.key == key; });
    return found == keys.end() || found->value.empty() ? std::string("unset") : found->value;
  };
  RunDifference difference;
  const auto note = [&](const KeyValue& entry) {
    const std::string old_value = value_in(before, entry.key);
    const std::string new_value = value_in(after, entry.key);
    if (old_value == new_value) return;
    (entry.may_change ? difference.allowed : difference.forbidden)
        .push_back({entry.key, old_value + " -> " + new_value, entry.may_change});
  };
  for (const KeyValue& entry : before) note(entry);
  for (const KeyValue& entry : after) {  // the optimizer's own keys that only the new run has
    const bool seen =
        std::any_of(before.begin(), before.end(), [&](const KeyValue& old) { return old.key == entry.key; });
    if (!seen) note(entry);
  }
  return difference;
}

void resolve_paths(RunConfig& run, std::span<const std::string> folders) {
  for (DataSource* source : {&run.data.train, &run.data.test}) {
    for (std::string* place : {&source->x, &source->y}) {
      if (!place->empty()) *place = with_name(*place, folders);
    }
    for (auto* places : {&source->more, &source->more_x, &source->more_y}) {
      for (std::string& place : *places) place = with_name(place, folders);
    }
  }
  std::vector<std::string> ignored;
  if (run.model.initial) run.model.initial = find_in(*run.model.initial, folders, ignored).value_or(*run.model.initial);
}

std::string describe_keys() {
  std::string text;
  const RunConfig defaults;
  visit_keys(defaults, [&](const KeyInfo& info, const auto& member) {
    const std::string value = to_toml(member);
    text += fmt::format("{}\t{}\t{}\t{}\n", info.name, type_name(member), value.empty() ? "unset" : value, info.what);
  });
  return text;
}

}  // namespace lockstep
