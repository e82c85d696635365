// The one visible table of optimizers: type name to factory.
#include "optim/optimizer.hpp"

#include <fmt/format.h>

#include <array>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::array<OptimizerType, 7> kTable = {{
    {"sgd", 1e-2, make_sgd},
    {"adam", 1e-3, make_adam},
    {"adamw", 1e-3, make_adamw},
    {"rmsprop", 1e-2, make_rmsprop},
    {"adagrad", 1e-2, make_adagrad},
    {"lars", 1.0, make_lars},
    {"lamb", 1e-3, make_lamb},
}};

}  // namespace

std::span<const OptimizerType> optimizer_table() {
  return kTable;
}

std::unique_ptr<Optimizer> make_optimizer(std::string_view type, const Options& options) {
  Options placed = options;
  if (placed.where().empty()) placed.set_where("optimizer");
  std::string known;
  for (const auto& row : kTable) {
    if (row.name == type) return row.make(placed);
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
  }
  throw Error(ErrorKind::config,
              fmt::format("{}.type: unknown optimizer \"{}\"; known optimizers: {}", placed.where(), type, known));
}

}  // namespace lockstep
