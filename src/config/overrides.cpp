#include "config/overrides.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "config/keys.hpp"
#include "core/number_text.hpp"
#include "core/visible_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

[[noreturn]] void fail_override(const std::string& text, const std::string& what) {
  throw Error(ErrorKind::config, fmt::format("--set {}: {}", text, what));
}

// The value as TOML, or the bare text where it is none ("--set data.normalize=standard").
toml::table parse_value(const std::string& text) {
  try {
    toml::table parsed = toml::parse("v = " + text);
    const toml::node* value = parsed.get("v");
    const bool is_date = value->is_date() || value->is_time() || value->is_date_time();
    if (parsed.size() == 1 && !is_date) return parsed;
  } catch (const toml::parse_error&) {  // not TOML: a text
  }
  toml::table plain;
  plain.insert("v", text);
  return plain;
}

// What a key begins as when a part of it is set that the run file does not have: its default, or the long form of what
// stands there, as schedule = "cosine" is short for {type = "cosine"}.
struct Beginning {
  std::string_view key;
  const toml::node* found;  // null: the run file leaves the key out
  std::optional<toml::table> table = {};
  std::optional<toml::array> list = {};

  void operator()(const KeyInfo& info, const Component& fallback) {
    if (info.name != key) return;
    if (found == nullptr) table.emplace(toml::table{{"type", fallback.type}});
    if (found != nullptr && found->is_string()) table.emplace(toml::table{{"type", found->as_string()->get()}});
  }
  void operator()(const KeyInfo& info, const DataSource& /*fallback*/) {
    if (info.name == key && found != nullptr && found->is_string()) {
      table.emplace(toml::table{{"x", found->as_string()->get()}});
    }
  }
  void operator()(const KeyInfo& info, const std::optional<EarlyStop>& /*fallback*/) {
    if (info.name == key && found != nullptr && found->is_integer()) {
      table.emplace(toml::table{{"patience", found->as_integer()->get()}});
    }
  }
  void operator()(const KeyInfo& info, const std::vector<LayerConfig>& /*fallback*/) {
    if (info.name == key && found == nullptr) list.emplace();
  }
  void operator()(const KeyInfo& info, const std::vector<std::string>& fallback) {
    if (info.name == key && found == nullptr) list.emplace().insert(list->end(), fallback.begin(), fallback.end());
  }
  template <class T>
  void operator()(const KeyInfo& /*info*/, const T& /*fallback*/) {}
};

// The table or list at `name` of `table`, which is `key` of the run; a value without parts stays what it is.
toml::node* part_of_table(toml::table& table, const std::string& name, std::string_view key) {
  toml::node* found = table.get(name);
  if (found != nullptr && (found->is_table() || found->is_array())) return found;
  const RunConfig defaults;
  Beginning beginning{key, found};
  visit_keys(defaults, beginning);
  if (found == nullptr && key == "optimizer.betas") {
    beginning.list.emplace().insert(beginning.list->end(), kDefaultBetas.begin(), kDefaultBetas.end());
  }
  if (beginning.list) return &table.insert_or_assign(name, *std::move(beginning.list)).first->second;
  if (found != nullptr && !beginning.table) return found;
  return &table.insert_or_assign(name, std::move(beginning.table).value_or(toml::table{})).first->second;
}

// The entry of `list`, which is `key` of the run, that `name` counts.
std::size_t index_in(const toml::array& list, const std::string& name, const std::string& key,
                     const std::string& text) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (error == std::errc{} && end == name.data() + name.size() && index < list.size()) return index;
  fail_override(text, fmt::format("\"{}\" is no index into a list of {} entries ({})", name, list.size(),
                                  list.empty() ? fmt::format("the list is empty, set all of it: {}=[...]", key)
                                               : "they count from 0"));
}

}  // namespace

std::string describe(const toml::node& node) {
  if (node.is_table()) return "a table";
  if (node.is_array()) return "a list";
  if (const auto* text = node.as_string()) return fmt::format("\"{}\"", text->get());
  if (const auto* integer = node.as_integer()) return fmt::format("{}", integer->get());
  if (const auto* number = node.as_floating_point()) return number_text(number->get());
  if (const auto* boolean = node.as_boolean()) return boolean->get() ? "true" : "false";
  return "a date";
}

void apply_override(toml::table& root, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) fail_override(text, "expected key=value");
  for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(utf8_size(rest))) {
    if (utf8_size(rest) == 0) fail_override(text, "expected UTF-8 text, as in a run file");
  }
  const std::string path = text.substr(0, equals);
  toml::node* node = &root;
  for (std::size_t begin = 0;;) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    const bool last = end == path.size();
    toml::table value;
    if (last) value = parse_value(text.substr(equals + 1));
    if (toml::array* list = node->as_array()) {
      const std::size_t index = index_in(*list, name, path.substr(0, begin - 1), text);
      if (last) list->replace(list->cbegin() + static_cast<std::ptrdiff_t>(index), *value.get("v"));
      node = list->get(index);
    } else if (toml::table* table = node->as_table()) {
      if (last) table->insert_or_assign(name, *value.get("v"));
      if (!last) node = part_of_table(*table, name, path.substr(0, end));
    } else {
      fail_override(text, fmt::format("there is nothing below {}", describe(*node)));
    }
    if (last) return;
    begin = end + 1;
  }
}

}  // namespace lockstep
