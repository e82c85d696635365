// The one visible table of optimizers.
#include "optim/optimizer.hpp"

#include <vector>

#include "config/keys.hpp"

namespace lockstep {

// Each is defined in its family's file.
std::unique_ptr<Optimizer> make_sgd(const Options& options);
std::unique_ptr<Optimizer> make_adam(const Options& options);
std::unique_ptr<Optimizer> make_adamw(const Options& options);
std::unique_ptr<Optimizer> make_rmsprop(const Options& options);
std::unique_ptr<Optimizer> make_adagrad(const Options& options);
std::unique_ptr<Optimizer> make_lars(const Options& options);
std::unique_ptr<Optimizer> make_lamb(const Options& options);

namespace {

using enum OptionType;

OptionInfo below_1(std::string_view name, double fallback, std::string_view what) {
  return {.name = name, .what = what, .fallback = fallback, .low = 0, .high = 1, .below = true};
}

OptionInfo flag(std::string_view name, std::string_view what) {
  return {.name = name, .type = boolean, .what = what, .fallback = false};
}

OptionInfo betas() {
  return {.name = "betas",
          .type = numbers,
          .what = "how much of both averages stays",
          .fallback = std::vector<double>(kDefaultBetas.begin(), kDefaultBetas.end())};
}

constexpr std::string_view kOfGradient = "added to the gradient";
constexpr std::string_view kEps = "keeps what is divided by from 0";

std::vector<OptimizerType> make_table() {
  return {
      {{"sgd",
        "down the gradient, or a running sum of gradients",
        {below_1("momentum", 0, "share of the sum that stays"),
         {.name = "dampening",
          .what = "share of a gradient that does not enter the sum",
          .fallback = 0.0,
          .low = 0,
          .high = 1},
         flag("nesterov", "a step ahead; needs momentum, and dampening 0"),
         at_least_0("weight_decay", 0, kOfGradient)}},
       1e-2,
       make_sgd},
      {{"adam",
        "by averages of gradient and square (Kingma and Ba, 2015)",
        {betas(), at_least_0("eps", 1e-8, kEps), at_least_0("weight_decay", 0, kOfGradient)}},
       1e-3,
       make_adam},
      {{"adamw",
        "adam, with a decay of its own (Loshchilov and Hutter, 2019)",
        {betas(), at_least_0("eps", 1e-8, kEps), at_least_0("weight_decay", 1e-2, "decoupled: taken off the weights")}},
       1e-3,
       make_adamw},
      {{"rmsprop",
        "by the average of squares (Tieleman and Hinton, 2012)",
        {below_1("alpha", 0.99, "share of the average that stays"), at_least_0("eps", 1e-8, kEps),
         below_1("momentum", 0, "share of the steps before that stays"),
         flag("centered", "squares are taken around the average gradient"),
         at_least_0("weight_decay", 0, kOfGradient)}},
       1e-2,
       make_rmsprop},
      {{"adagrad",
        "by the sum of squares (Duchi et al., 2011)",
        {at_least_0("lr_decay", 0, "`lr` is divided by 1 + this times the steps before"),
         at_least_0("eps", 1e-10, kEps), at_least_0("initial_accumulator_value", 0, "what the sum starts from"),
         at_least_0("weight_decay", 0, kOfGradient)}},
       1e-2,
       make_adagrad},
      {{"lars",
        "sgd with a rate for each parameter by its norm (You et al., 2017)",
        {below_1("momentum", 0.9, "share of the sum that stays"), flag("nesterov", "a step ahead; needs momentum"),
         at_least_0("weight_decay", 0, kOfGradient),
         at_least_0("trust_coefficient", 1e-3, "the step of a parameter is this share of its norm"),
         at_least_0("eps", 1e-8, kEps)}},
       1.0,
       make_lars},
      {{"lamb",
        "adam with a rate for each parameter by its norm (You et al., 2020)",
        {betas(), at_least_0("eps", 1e-6, kEps), at_least_0("weight_decay", 1e-2, "added to Adam's direction")}},
       1e-3,
       make_lamb},
  };
}

}  // namespace

std::span<const OptimizerType> optimizer_table() {
  static const std::vector<OptimizerType> table = make_table();
  return table;
}

TypeInfo with_lr(const OptimizerType& type) {
  TypeInfo info = type.info;
  info.options.insert(info.options.begin(), at_least_0("lr", type.default_lr, "learning rate"));
  return info;
}

std::unique_ptr<Optimizer> make_optimizer(std::string_view type, const Options& options) {
  Options placed = options;
  if (placed.where().empty()) placed.set_where("optimizer");
  const OptimizerType& row = find_type(optimizer_table(), type, "optimizer", placed.where() + ".type");
  return row.make(complete(row.info, placed));
}

}  // namespace lockstep
