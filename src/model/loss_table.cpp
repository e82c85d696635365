#include "model/loss_table.hpp"

#include <vector>

namespace lockstep {

// Each is defined in its family's file.
std::unique_ptr<Loss> make_mse(const Options& options);
std::unique_ptr<Loss> make_mae(const Options& options);
std::unique_ptr<Loss> make_huber(const Options& options);
std::unique_ptr<Loss> make_binary_cross_entropy(const Options& options);
std::unique_ptr<Loss> make_softmax_cross_entropy(const Options& options);
std::unique_ptr<Loss> make_gaussian_nll(const Options& options);
std::unique_ptr<Loss> make_quantile(const Options& options);
std::unique_ptr<Loss> make_poisson_nll(const Options& options);
std::unique_ptr<Loss> make_hinge(const Options& options);
std::unique_ptr<Loss> make_multi_margin(const Options& options);
std::unique_ptr<Loss> make_binary_focal(const Options& options);
std::unique_ptr<Loss> make_softmax_focal(const Options& options);

namespace {

using enum OptionType;

constexpr double kSmallest = 1e-30;  // positive, also as a float
constexpr double kMostMargin = 1e6;
constexpr double kMostGamma = 100;

OptionInfo bounded(std::string_view name, double fallback, double low, double high, std::string_view what) {
  return {.name = name, .what = what, .fallback = fallback, .low = low, .high = high};
}
OptionInfo flag(std::string_view name, bool fallback, std::string_view what) {
  return {.name = name, .type = boolean, .what = what, .fallback = fallback};
}
OptionInfo class_weights() {
  return {.name = "class_weights", .type = any, .what = "a weight a class, or \"balanced\""};
}

std::vector<LossType> make_table() {
  return {
      {{"mse", "squares of differences"}, make_mse},
      {{"mae", "sizes of differences"}, make_mae},
      {{"huber",
        "squares of small differences, sizes of large ones",
        {bounded("delta", 1, kSmallest, 1e30, "the difference from which one is large")}},
       make_huber},
      {{"gaussian_nll",
        "the normal distribution's -log of how likely the target is, of mean and variance",
        {flag("full", false, "with the constant"), bounded("eps", kVarianceEps, kSmallest, 1, "the least variance")}},
       make_gaussian_nll},
      {{"quantile",
        "the pinball loss of several quantiles at once",
        {{.name = "quantiles",
          .type = numbers,
          .what = "each between 0 and 1, rising",
          .fallback = std::vector<double>{0.1, 0.5, 0.9}}}},
       make_quantile},
      {{"poisson_nll",
        "the Poisson distribution's -log of how likely the count is",
        {flag("log_input", true, "the net gives the log of the rate"), flag("full", false, "with Stirling's term"),
         bounded("eps", 1e-8, kSmallest, 1, "added to a rate before its log")}},
       make_poisson_nll},
      {{"binary_cross_entropy",
        "-log of the probability of what is true, on logits",
        {{.name = "pos_weight", .type = any, .what = "of a target of 1: a number, or one an output; else 1"}}},
       make_binary_cross_entropy},
      {{"binary_focal",
        "binary_cross_entropy, less for what is right already (Lin et al., 2017)",
        {bounded("gamma", 2, 0, kMostGamma, "how much less"),
         bounded("alpha", 0.25, -1, 1, "weight of a target of 1, 1 - alpha of one of 0; below 0: none")}},
       make_binary_focal},
      {{"hinge", "how far a score lacks the margin", {bounded("margin", 1, 0, kMostMargin, "the margin")}}, make_hinge},
      {{"softmax_cross_entropy",
        "-log of the probability of the class, on logits",
        {bounded("label_smoothing", 0, 0, 1, "share of the target that goes to all classes alike"), class_weights()}},
       make_softmax_cross_entropy},
      {{"softmax_focal",
        "softmax_cross_entropy, less for what is right already",
        {bounded("gamma", 2, 0, kMostGamma, "how much less"), class_weights()}},
       make_softmax_focal},
      {{"multi_margin",
        "how far the class's score lacks a margin over each other one",
        {bounded("margin", 1, 0, kMostMargin, "the margin"),
         {.name = "p", .type = integer, .what = "the power of what lacks", .fallback = 1, .low = 1, .high = 2},
         class_weights()}},
       make_multi_margin},
  };
}

}  // namespace

std::span<const LossType> loss_table() {
  static const std::vector<LossType> table = make_table();
  return table;
}

std::vector<std::string_view> loss_names() {
  std::vector<std::string_view> names;
  for (const LossType& entry : loss_table()) names.push_back(entry.info.name);
  return names;
}

std::unique_ptr<Loss> make_loss(const Component& config) {
  Options options = config.options;
  if (options.where().empty()) options.set_where("model.loss");
  const LossType& row = find_type(loss_table(), config.type, "loss", options.where());
  return row.make(complete(row.info, options));
}

}  // namespace lockstep
