#include "run/warm_start.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>

#include "checkpoint/retention.hpp"
#include "core/number_text.hpp"
#include "feed/run_data.hpp"
#include "lockstep/error.hpp"
#include "net/kept_normalization.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostNamed = 12;

std::string name_of(const Parameter& parameter) {
  return parameter.layer + "/" + parameter.name;
}

std::string shape_of(const Parameter& parameter) {
  return fmt::format("[{}]", fmt::join(parameter.shape, ", "));
}

std::string list_of(std::span<const std::string> names) {
  const auto named = names.first(std::min(names.size(), kMostNamed));
  const std::size_t more = names.size() - named.size();
  return fmt::format("{}{}", fmt::join(named, ", "), more == 0 ? "" : fmt::format(" and {} more", more));
}

std::string list_of(const ParameterTable& table) {
  std::vector<std::string> names;
  for (const Parameter& parameter : table.entries()) names.push_back(name_of(parameter) + " " + shape_of(parameter));
  return list_of(names);
}

// Numbers as a scaling has them for column `column`.
std::pair<double, double> shift_and_scale(const ColumnScaling& scaling, std::size_t column) {
  if (scaling.empty()) return {0, 1};
  return {scaling.shift[column], scaling.scale[column]};
}

}  // namespace

ParameterMatch match_parameters(const ParameterTable& net, const ParameterTable& other) {
  ParameterMatch match;
  const auto theirs = other.entries();
  std::vector<bool> used(theirs.size(), false);
  for (std::size_t i = 0; i < net.entries().size(); ++i) {
    const Parameter& wanted = net.entries()[i];
    const auto found = std::ranges::find_if(theirs, [&](const Parameter& p) { return name_of(p) == name_of(wanted); });
    if (found == theirs.end()) {
      match.left.push_back(name_of(wanted) + " (not there)");
    } else if (found->shape != wanted.shape) {
      match.left.push_back(fmt::format("{} {} (there {})", name_of(wanted), shape_of(wanted), shape_of(*found)));
    } else {
      const auto j = static_cast<std::size_t>(found - theirs.begin());
      match.taken.emplace_back(i, j);
      used[j] = true;
    }
  }
  for (std::size_t j = 0; j < theirs.size(); ++j) {
    if (!used[j]) match.unused.push_back(name_of(theirs[j]));
  }
  return match;
}

std::string scaling_difference(const char* what, const ColumnScaling& then, const ColumnScaling& now) {
  constexpr double kNoticeable = 0.1;  // of a column's scale
  const std::size_t columns = std::max(then.shift.size(), now.shift.size());
  if (!then.empty() && !now.empty() && then.shift.size() != now.shift.size()) return "";  // columns of other data
  std::size_t unlike = 0;
  std::string example;
  for (std::size_t column = 0; column < columns; ++column) {
    const auto [old_shift, old_scale] = shift_and_scale(then, column);
    const auto [shift, scale] = shift_and_scale(now, column);
    if (std::abs(shift - old_shift) <= kNoticeable * old_scale &&
        std::abs(scale - old_scale) <= kNoticeable * old_scale)
      continue;
    if (unlike++ > 0) continue;
    example = fmt::format("column {}: ({} - {:.4g}) / {:.4g} there, ({} - {:.4g}) / {:.4g} here", column,
                          what[0] == 'i' ? "x" : "y", old_shift, old_scale, what[0] == 'i' ? "x" : "y", shift, scale);
  }
  if (unlike == 0) return "";
  return fmt::format(
      "that net has learned from {} that were normalised otherwise ({} of {}; {}): what is taken from it "
      "has to adapt first",
      what, unlike, count_text(columns, "column"), example);
}

std::string names_difference(const char* what, const std::vector<std::string>& then,
                             const std::vector<std::string>& now) {
  if (then.empty() || now.empty() || then == now) return "";
  const auto at = static_cast<std::size_t>(std::ranges::mismatch(then, now).in1 - then.begin());
  const auto name = [&](const std::vector<std::string>& names) {
    return at < names.size() ? "'" + names[at] + "'" : std::string("nothing");
  };
  return fmt::format(
      "that net knows other {}, or in another order ({} there, {} here; number {} is {} there, {} here): weights are "
      "taken by their place, and have to adapt first",
      what, then.size(), now.size(), at, name(then), name(now));
}

WarmStart::WarmStart(const Communicator& comm, const std::string& name) {
  comm.together([&] {
    if (!comm.is_root()) return;
    std::error_code ignored;
    if (!std::filesystem::exists(name, ignored)) {
      throw Error(ErrorKind::data,
                  fmt::format("model.initial: no file or folder {} (a relative path is looked up in the "
                              "folder of the run file, then in the working directory)",
                              name));
    }
    try {
      path_ = std::filesystem::absolute(checkpoint_file(name)).lexically_normal().string();
      comm.pulse().enter(Phase::reading);
      source_ = read_checkpoint(path_, [&] { comm.pulse().beat(); });
    } catch (const Error& error) {
      throw Error(error.kind(), fmt::format("model.initial: {}", error.what()));
    }
    source_->ema = {};
    source_->slots = {};
    source_->slot_names = {};
  });
  path_ = comm.broadcast_text(path_);
}

void WarmStart::match(const Model& model) {
  if (!source_) return;
  match_ = match_parameters(model.parameters(), source_->table);
  names_.clear();
  for (const Parameter& parameter : model.parameters().entries()) names_.push_back(name_of(parameter));
  if (!match_.taken.empty()) return;
  throw Error(
      ErrorKind::config,
      fmt::format("model.initial: {} has no parameter of the name and shape of one of this net; there: {}; here: "
                  "{}; layers may be given a name",
                  path_, list_of(source_->table), list_of(model.parameters())));
}

void WarmStart::apply(Engine& engine) const {
  engine.fill_weights([&](std::span<float> weights) {
    for (const auto& [to, from] : match_.taken) {
      const Range there = source_->table.entries()[from].range;
      const Range here = engine.model().parameters().entries()[to].range;
      std::ranges::copy(std::span(source_->weights).subspan(there.begin, there.size()),
                        weights.subspan(here.begin).begin());
    }
  });
}

std::vector<std::pair<LogLevel, std::string>> WarmStart::texts(const Normalization* now,
                                                               const KnownNames& names) const {
  if (!source_) return {};
  std::vector<std::pair<LogLevel, std::string>> texts;
  std::vector<std::string> taken;
  bool first = false;  // whether the other net's first parameter is taken, which sees its inputs
  bool last = false;   // and the last one, which makes its outputs
  for (const auto& [to, from] : match_.taken) {
    taken.push_back(names_[to]);
    first = first || from == 0;
    last = last || from + 1 == source_->table.entries().size();
  }
  texts.emplace_back(LogLevel::info,
                     fmt::format("starts with {} of {} (step {})", list_of(taken), path_, source_->info.position.step));
  if (!match_.left.empty()) {
    texts.emplace_back(LogLevel::notice,
                       fmt::format("model.initial: not taken: {}; {} start as the seed has it{}", list_of(match_.left),
                                   match_.left.size() == 1 ? "it" : "they",
                                   match_.unused.empty() ? "" : "; not used: " + list_of(match_.unused)));
  } else if (!match_.unused.empty()) {
    texts.emplace_back(LogLevel::notice,
                       fmt::format("model.initial: all of this net is taken; not used: {}", list_of(match_.unused)));
  }
  const CheckpointInfo& info = source_->info;
  for (const std::string& difference :
       {first ? names_difference("features", info.columns.features, names.columns.features) : "",
        last ? names_difference("targets", info.columns.targets, names.columns.targets) : "",
        last ? names_difference("classes", info.class_names, names.classes) : ""}) {
    if (!difference.empty()) texts.emplace_back(LogLevel::notice, "model.initial: " + difference);
  }
  if (now == nullptr) return texts;
  const Normalization then = normalization_of(source_->info);
  for (const std::string& difference : {first ? scaling_difference("inputs", then.x, now->x) : "",
                                        last ? scaling_difference("targets", then.y, now->y) : ""}) {
    if (!difference.empty()) texts.emplace_back(LogLevel::notice, "model.initial: " + difference);
  }
  return texts;
}

bool WarmStart::takes(std::size_t index) const {
  return std::ranges::any_of(match_.taken, [&](const auto& pair) { return pair.first == index; });
}

std::string frozen_notice(const Model& model, const WarmStart* start) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < model.trained().size(); ++i) {
    if (model.trained()[i] || (start != nullptr && start->takes(i))) continue;
    names.push_back(name_of(model.parameters().entries()[i]));
  }
  if (names.empty()) return "";
  return fmt::format("model.freeze: {} {} as the seed has it: {} not from model.initial", list_of(names),
                     names.size() == 1 ? "stays" : "stay", names.size() == 1 ? "it is" : "they are");
}

}  // namespace lockstep
