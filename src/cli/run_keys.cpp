#include "cli/run_keys.hpp"

#include <type_traits>

#include "config/keys.hpp"
#include "config/run_file.hpp"
#include "layers/layer_table.hpp"
#include "model/loss_table.hpp"
#include "optim/optimizer.hpp"
#include "optim/schedule.hpp"

namespace lockstep::cli {
namespace {

// What a key may be beyond the choices that its line in config/keys.hpp lists.
std::vector<std::string> known_names(std::string_view key) {
  std::vector<std::string> names;
  if (key == "model.loss") {
    for (const std::string_view name : loss_names()) names.emplace_back(name);
  } else if (key == "optimizer.type") {
    for (const OptimizerType& type : optimizer_table()) names.emplace_back(type.info.name);
  } else if (key == "optimizer.schedule") {
    for (const std::string_view name : schedule_names()) names.emplace_back(name);
  }
  return names;
}

const TypeInfo& info_of(const TypeInfo& info) {
  return info;
}
template <class Type>
const TypeInfo& info_of(const Type& type) {
  return type.info;
}

// "relu, leaky_relu (negative_slope)"
template <class Types>
std::string summary_of_all(const Types& types) {
  std::string text;
  for (const auto& type : types) text += (text.empty() ? "" : ", ") + summary_of(info_of(type));
  return text;
}

}  // namespace

std::string key_lines() {
  std::string lines;
  for (const RunKey& key : run_keys()) {
    lines += key.name + '\t' + key.type + '\t' + key.fallback + '\t' + key.what + '\t' +
             (key.may_change ? "may change" : "") + '\n';
  }
  return lines;
}

std::vector<RunKey> run_keys() {
  std::vector<RunKey> keys;
  // Lines of key, type, default and meaning.
  const std::string lines = describe_keys();
  for (std::size_t at = 0; at < lines.size();) {
    std::string field[4];
    for (int i = 0; i < 4; ++i) {
      const std::size_t end = lines.find(i < 3 ? '\t' : '\n', at);
      field[i] = lines.substr(at, end - at);
      at = end + 1;
    }
    keys.push_back({field[0], field[1], field[2], field[3]});
  }
  std::size_t place = 0;
  const RunConfig defaults;
  visit_keys(defaults, [&](const KeyInfo& info, const auto& member) {
    keys[place].may_change = info.may_change;
    std::vector<std::string>& choices = keys[place++].choices;
    choices.assign(info.choices.begin(), info.choices.end());
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, bool>) choices = {"true", "false"};
    if (choices.empty()) choices = known_names(info.name);
    if (info.name == "model.loss") keys[place - 1].what += ": " + summary_of_all(loss_table());
    if (info.name == "model.layers") keys[place - 1].what += ": " + summary_of_all(layer_table());
    if (info.name == "optimizer.schedule") keys[place - 1].what += ": " + summary_of_all(schedule_types());
    if (info.name == "optimizer.type") keys[place - 1].what += ": " + summary_of_all(optimizer_table());
  });
  return keys;
}

}  // namespace lockstep::cli
