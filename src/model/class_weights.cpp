#include "model/class_weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr const char* kKey = "class_weights";
constexpr double kLargest = 1e12;

const std::string* text_in(const Options& options) {
  const auto found = options.values().find(kKey);
  return found == options.values().end() ? nullptr : std::get_if<std::string>(&found->second.get());
}

}  // namespace

bool wants_balance(const Component& loss) {
  const std::string* text = text_in(loss.options);
  return text != nullptr && *text == "balanced";
}

void balance(Component& loss, std::span<const double> counts, const std::string& source) {
  double samples = 0;
  for (const double count : counts) samples += count;
  std::vector<double> weights;
  for (const double count : counts) {
    if (count < 0) {
      throw Error(ErrorKind::config,
                  fmt::format("{}.class_weights: \"balanced\" needs classes that weigh more than 0, but the samples of "
                              "class {} of {} weigh {:.6g} in all; give a list of weights, one a class",
                              loss.options.where(), weights.size(), source, count));
    }
    if (count == 0) {
      throw Error(
          ErrorKind::config,
          fmt::format("{}.class_weights: \"balanced\" needs samples of every class, but {} has none of class {}; "
                      "give a list of weights, one a class",
                      loss.options.where(), source, weights.size()));
    }
    weights.push_back(samples / (static_cast<double>(counts.size()) * count));
  }
  loss.options.set(kKey, std::move(weights));
}

void take_class_weights(Component& loss, const Component& kept) {
  const auto found = kept.options.values().find(kKey);
  if (wants_balance(loss) && found != kept.options.values().end()) loss.options.set(kKey, found->second);
}

Component without_class_weights(const Component& loss) {
  Component plain{loss.type, {}};
  plain.options.set_where(loss.options.where());
  for (const auto& [key, value] : loss.options.values()) {
    if (key != kKey) plain.options.set(key, value);
  }
  return plain;
}

std::vector<double> given_class_weights(const Options& options) {
  const std::string name = options.where() + "." + kKey;
  if (const std::string* text = text_in(options)) {
    if (*text == "balanced") return {};
    throw Error(ErrorKind::config,
                fmt::format("{}: expected \"balanced\" or a list of numbers, found \"{}\"", name, *text));
  }
  if (!options.values().contains(kKey)) return {};
  std::vector<double> weights = options.numbers(kKey);
  check_weights(weights, name);
  if (std::ranges::none_of(weights, [](double weight) { return weight > 0; })) {
    throw Error(ErrorKind::config, fmt::format("{}: expected at least one weight above 0, found none", name));
  }
  return weights;
}

void check_weights(std::span<const double> weights, const std::string& name) {
  for (const double weight : weights) {
    if (weight >= 0 && weight <= kLargest) continue;
    throw Error(ErrorKind::config, fmt::format("{}: expected 0 to {:g}, found {}", name, kLargest, weight));
  }
}

}  // namespace lockstep
