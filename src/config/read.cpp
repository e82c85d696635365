// Reading a run file: toml++ parses, the key list drives.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "config/keys.hpp"
#include "config/layer_list.hpp"
#include "config/layer_names.hpp"
#include "config/overrides.hpp"
#include "config/run_file.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// toml++ gives no double for an integer beyond 2^53, so integers are converted here.
double number_of(const toml::node& node) {
  if (const auto* integer = node.as_integer()) return static_cast<double>(integer->get());
  return node.as_floating_point()->get();
}

// toml++ limits how deep lists and tables nest by brackets, but not how many parts a key has, and it frees what it has
// read by recursion: "a.a. ... .a = 1" would overflow the stack, at some 30,000 parts where that has 8 MB.
void check_depth(const std::string& text, const std::string& name) {
  constexpr std::ptrdiff_t most = 10'000;
  const auto dots = std::count(text.begin(), text.end(), '.');
  if (dots > most) {
    throw Error(ErrorKind::config,
                fmt::format("{}: expected at most {} dots in a run file, found {}", name, most, dots));
  }
}

class Reader {
 public:
  Reader(const toml::table& root, const std::string& file) : root_(root), file_(file) {}

  template <class T>
  void operator()(const KeyInfo& info, T& member) {
    known_.emplace_back(info.name);
    const toml::node* node = root_.at_path(info.name).node();
    if (node == nullptr) return;
    read(info, *node, member);
  }

  // Data that is trained on or scored has answers.
  void check_answers(const RunConfig& run) const {
    for (const auto& [key, source] : {std::pair{"data.train", &run.data.train}, {"data.test", &run.data.test}}) {
      const toml::node* node = root_.at_path(key).node();
      if (node == nullptr || source->more_x.empty() || !source->y.empty()) continue;
      fail(*node, key, "x has variables, and y is missing: name it too");
    }
  }

  // Every key of the file must be one of the list; the optimizer's further keys are its type's options.
  void finish(RunConfig& run) const {
    std::set<std::string> sections;
    for (const std::string& key : known_) {
      if (const auto dot = key.find('.'); dot != std::string::npos) sections.insert(key.substr(0, dot));
    }
    for (const auto& [key, node] : root_) {
      const std::string name(key.str());
      if (sections.contains(name)) {
        if (!node.is_table()) fail(node, name, "expected a table, found " + describe(node));
        finish_section(name, *node.as_table(), run);
      } else if (!is_known(name) || name.find('.') != std::string::npos) {  // "train.batch" in quotes is one odd key
        fail_unknown(node, name, "");
      }
    }
    run.optimizer.options.set_where("optimizer (" + run.optimizer.type + ")");
    run.optimizer.options.set_neighbours(known_in("optimizer"));
  }

 private:
  [[nodiscard]] bool is_known(const std::string& key) const {
    return std::find(known_.begin(), known_.end(), key) != known_.end();
  }

  [[nodiscard]] std::vector<std::string> known_in(const std::string& section) const {
    std::vector<std::string> names;
    for (const std::string& key : known_) {
      if (section.empty()) {
        names.push_back(key.substr(0, key.find('.')));
      } else if (key.starts_with(section + ".")) {
        names.push_back(key.substr(section.size() + 1));
      }
    }
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }

  void finish_section(const std::string& section, const toml::table& table, RunConfig& run) const {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (is_known(section + "." + name)) continue;
      if (section != "optimizer") fail_unknown(node, name, section);
      run.optimizer.options.set(name, option(node, section + "." + name));
    }
  }

  [[noreturn]] void fail(const toml::node& node, std::string_view key, const std::string& what) const {
    const auto line = node.source().begin.line;
    const std::string place = line == 0 ? file_ : fmt::format("{}:{}", file_, line);
    throw Error(ErrorKind::config, fmt::format("{}: {}: {}", place, key, what));
  }

  [[noreturn]] void fail_unknown(const toml::node& node, const std::string& key, const std::string& section) const {
    const std::string full = section.empty() ? key : section + "." + key;
    fail(node, full,
         fmt::format("unknown key; known keys{}: {}", section.empty() ? "" : " of [" + section + "]",
                     fmt::join(known_in(section), ", ")));
  }

  void check_bound(const KeyInfo& info, const toml::node& node, double value) const {
    if (info.bound == Bound::positive && !(value > 0))
      fail(node, info.name, "expected more than 0, found " + describe(node));
    if (info.bound == Bound::not_negative && !(value >= 0))
      fail(node, info.name, "expected 0 or more, found " + describe(node));
    if (!std::isfinite(value)) fail(node, info.name, "expected a finite number, found " + describe(node));
  }

  void read(const KeyInfo& info, const toml::node& node, std::int64_t& out) const {
    if (!node.is_integer()) fail(node, info.name, "expected an integer, found " + describe(node));
    out = node.as_integer()->get();
    check_bound(info, node, static_cast<double>(out));
  }
  void read(const KeyInfo& info, const toml::node& node, double& out) const {
    if (!node.is_number()) fail(node, info.name, "expected a number, found " + describe(node));
    out = number_of(node);
    check_bound(info, node, out);
  }
  template <class T>
  void read(const KeyInfo& info, const toml::node& node, std::optional<T>& out) const {
    read(info, node, out.emplace());
  }
  void read(const KeyInfo& info, const toml::node& node, bool& out) const {
    if (!node.is_boolean()) fail(node, info.name, "expected true or false, found " + describe(node));
    out = node.as_boolean()->get();
  }
  void read(const KeyInfo& info, const toml::node& node, std::string& out) const {
    if (!node.is_string()) fail(node, info.name, "expected a text, found " + describe(node));
    out = node.as_string()->get();
    if (!info.choices.empty() && std::find(info.choices.begin(), info.choices.end(), out) == info.choices.end()) {
      fail(node, info.name, fmt::format("expected one of {}, found \"{}\"", fmt::join(info.choices, ", "), out));
    }
  }
  void read(const KeyInfo& info, const toml::node& node, std::vector<std::string>& out) const {
    if (!node.is_array()) fail(node, info.name, "expected a list of texts, found " + describe(node));
    out.clear();
    for (const toml::node& entry : *node.as_array()) {
      if (!entry.is_string()) fail(entry, info.name, "expected a list of texts, found " + describe(entry));
      out.push_back(entry.as_string()->get());
    }
  }
  void read(const KeyInfo& info, const toml::node& node, DataSource& out) const {
    out = {};
    if (const toml::table* table = node.as_table()) {
      for (const auto& [key, value] : *table) {
        if (key != "x" && key != "y")
          fail(value, info.name, fmt::format("unknown key \"{}\"; known keys: x, y", key.str()));
        const bool of_x = key == "x";
        read_places(info, value, of_x ? out.x : out.y, of_x ? out.more_x : out.more_y);
      }
      if (out.x.empty()) fail(node, info.name, "the name of the file is empty");
    } else if (node.is_string() || node.is_array()) {
      read_places(info, node, out.x, out.more);
      if (out.x.empty()) fail(node, info.name, "the name of the file is empty");
    } else {
      fail(node, info.name,
           "expected \"FILE.h5:/group\", a list of such or {x = \"...\", y = \"...\"}, found " + describe(node));
    }
  }
  // A name, or several: the first and the others.
  void read_places(const KeyInfo& info, const toml::node& node, std::string& first,
                   std::vector<std::string>& more) const {
    if (node.is_string()) {
      first = node.as_string()->get();
      return;
    }
    if (!node.is_array()) fail(node, info.name, "expected a file name or a list of them, found " + describe(node));
    read(info, node, more);
    if (more.empty()) fail(node, info.name, "the list of files is empty");
    if (std::ranges::find(more, "") != more.end()) fail(node, info.name, "the name of a file is empty");
    first = more.front();
    more.erase(more.begin());
  }
  void read(const KeyInfo& info, const toml::node& node, Component& out) const {
    if (node.is_string()) {
      out = {node.as_string()->get(), {}};
    } else if (node.is_table()) {
      read_typed(info.name, node, out.type, out.options, nullptr);
    } else {
      fail(node, info.name, "expected a name or {type = \"...\", ...}, found " + describe(node));
    }
    out.options.set_where(fmt::format("{} ({})", info.name, out.type));
  }
  void read(const KeyInfo& info, const toml::node& node, EarlyStop& out) const {
    out = {};
    const toml::table* table = node.as_table();
    if (table == nullptr && !node.is_integer()) {
      fail(node, info.name, "expected {patience = 10, ...} or the patience alone, found " + describe(node));
    }
    if (table == nullptr) {
      read(KeyInfo{.name = info.name, .bound = Bound::positive}, node, out.patience);
      return;
    }
    for (const auto& [key, value] : *table) {
      const std::string name = fmt::format("{}.{}", info.name, key.str());
      if (key == "monitor") {
        read(KeyInfo{.name = name}, value, out.monitor);
      } else if (key == "patience") {
        read(KeyInfo{.name = name, .bound = Bound::positive}, value, out.patience);
      } else if (key == "min_delta") {
        read(KeyInfo{.name = name, .bound = Bound::not_negative}, value, out.min_delta);
      } else if (key == "restore_best") {
        read(KeyInfo{.name = name}, value, out.restore_best);
      } else {
        fail(value, name, "unknown key; known keys: monitor, patience, min_delta, restore_best");
      }
    }
  }
  void read(const KeyInfo& info, const toml::node& node, ThresholdConfig& out) const {
    out = {};
    if (const auto* text = node.as_string(); text != nullptr && (text->get() == "f1" || text->get() == "youden")) {
      out.rule = text->get();
      return;
    }
    if (!node.is_number()) {
      fail(node, info.name, "expected a probability, from 0 to below 1, \"f1\" or \"youden\", found " + describe(node));
    }
    out.value = number_of(node);
    if (!(out.value >= 0 && out.value < 1)) {
      fail(node, info.name, "expected a probability, from 0 to below 1, found " + describe(node));
    }
  }
  void read(const KeyInfo& info, const toml::node& node, std::vector<LayerConfig>& out) const {
    out = read_layers(std::string(info.name), node);
    name_inputs(out);
  }
  [[nodiscard]] std::vector<LayerConfig> read_layers(const std::string& list, const toml::node& node) const {
    if (!node.is_array()) fail(node, list, "expected a list of {type = \"...\"}, found " + describe(node));
    std::vector<LayerConfig> layers;
    std::size_t index = 0;
    for (const toml::node& entry : *node.as_array()) {
      const std::string where = fmt::format("{}[{}]", list, index++);
      const toml::table* table = entry.as_table();
      if (table != nullptr && table->contains("repeat")) {
        read_repeated(where, *table, layers);
        continue;
      }
      LayerConfig& layer = layers.emplace_back();
      read_typed(where, entry, layer.type, layer.options, &layer);
      layer.options.set_where(fmt::format("{} ({})", where, layer.type));
    }
    return layers;
  }
  // {repeat = 4, layers = [...]}
  void read_repeated(const std::string& where, const toml::table& table, std::vector<LayerConfig>& out) const {
    std::int64_t times = 0;
    std::vector<LayerConfig> block;
    for (const auto& [key, value] : table) {
      const std::string name = fmt::format("{}.{}", where, key.str());
      if (key == "repeat") {
        read(KeyInfo{.name = name, .bound = Bound::positive}, value, times);
      } else if (key == "layers") {
        block = read_layers(name, value);
      } else {
        fail(value, name, "unknown key; a list to repeat takes repeat and layers");
      }
    }
    if (block.empty()) fail(table, where, "expected the layers to repeat: {repeat = 4, layers = [{type = ...}, ...]}");
    if (static_cast<std::size_t>(times) > (kMostLayers - std::min(out.size(), kMostLayers)) / block.size()) {
      fail(table, where, fmt::format("expected a net of at most {} layers", kMostLayers));
    }
    for (std::int64_t copy = 1; copy <= times; ++copy) append_copy(block, copy, out);
  }

  // {type = "...", option = value, ...}; a layer may have a name and inputs besides.
  void read_typed(std::string_view where, const toml::node& node, std::string& type, Options& options,
                  LayerConfig* layer) const {
    const toml::table* table = node.as_table();
    if (table == nullptr) fail(node, where, "expected {type = \"...\", ...}, found " + describe(node));
    options = {};
    for (const auto& [key, value] : *table) {
      const std::string name = fmt::format("{}.{}", where, key.str());
      const bool is_type = key == "type";
      if (is_type || (key == "name" && layer != nullptr)) {
        if (!value.is_string()) fail(value, name, "expected a text, found " + describe(value));
        (is_type ? type : layer->name) = value.as_string()->get();
      } else if (key == "inputs" && layer != nullptr) {
        read(KeyInfo{.name = name}, value, layer->inputs);
        if (layer->inputs.empty()) fail(value, name, "the list is empty; leave it out for the layer before");
        for (const std::string& input : layer->inputs) {
          if (!is_layer_name(input)) fail(value, name, fmt::format("\"{}\" is no name of a layer", input));
        }
      } else {
        options.set(std::string(key.str()), option(value, name));
      }
    }
    if (!table->contains("type")) fail(node, where, "a type is needed here, e.g. {type = \"...\"}");
  }

  [[nodiscard]] OptionValue option(const toml::node& node, const std::string& where) const {
    if (const auto* boolean = node.as_boolean()) return {boolean->get()};
    if (const auto* integer = node.as_integer()) return {std::int64_t{integer->get()}};
    if (const auto* number = node.as_floating_point()) return {number->get()};
    if (const auto* text = node.as_string()) return {text->get()};
    const toml::array* array = node.as_array();
    if (array == nullptr)
      fail(node, where, "expected a number, text, true, false or list of numbers, found " + describe(node));
    std::vector<double> numbers;
    for (const toml::node& entry : *array) {
      if (!entry.is_number()) fail(entry, where, "expected a list of numbers, found " + describe(entry));
      numbers.push_back(number_of(entry));
    }
    return {std::move(numbers)};
  }

  const toml::table& root_;
  const std::string& file_;
  std::vector<std::string> known_;
};

}  // namespace

namespace {

toml::table parse(const std::string& text, const std::string& name) {
  check_depth(text, name);
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    throw Error(ErrorKind::config, fmt::format("{}:{}: {}", name, error.source().begin.line, error.description()));
  }
}

}  // namespace

DataSource parse_source(const std::string& text, const std::string& name) {
  const toml::table root = parse("data.train = " + text, name);
  if (root.size() != 1 || root["data"].as_table()->size() != 1) {
    throw Error(ErrorKind::config, fmt::format("{}: expected one value, found more behind it", name));
  }
  RunConfig run;
  Reader reader(root, name);
  visit_keys(run, reader);
  reader.finish(run);
  return run.data.train;
}

RunConfig parse_run(const std::string& text, const std::string& name, std::span<const std::string> overrides) {
  toml::table root = parse(text, name);
  for (const std::string& entry : overrides) apply_override(root, entry);
  RunConfig run;
  Reader reader(root, name);
  visit_keys(run, reader);
  reader.finish(run);
  reader.check_answers(run);
  return run;
}

}  // namespace lockstep
