#include "net/kept_normalization.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep {

void keep_normalization(const Normalization& normalization, CheckpointInfo& info) {
  const auto keep = [&](const char* name, const std::vector<double>& values) {
    if (!values.empty()) info.normalization[name] = values;
  };
  keep("x_shift", normalization.x.shift);
  keep("x_scale", normalization.x.scale);
  keep("y_shift", normalization.y.shift);
  keep("y_scale", normalization.y.scale);
}

Normalization normalization_of(const CheckpointInfo& info) {
  const auto part = [&](const std::string& name, std::int64_t columns) {
    const auto numbers = [&](const std::string& of) {
      const auto found = info.normalization.find(name + of);
      return found == info.normalization.end() ? std::vector<double>{} : found->second;
    };
    ColumnScaling scaling{.shift = numbers("_shift"), .scale = numbers("_scale")};
    const bool none = scaling.shift.empty() && scaling.scale.empty();
    // Targets may take several outputs each, which checkpoint/check.cpp knows.
    const bool whole = !scaling.shift.empty() && static_cast<std::size_t>(columns) % scaling.shift.size() == 0;
    if (none || (whole && scaling.scale.size() == scaling.shift.size())) return scaling;
    throw Error(ErrorKind::data,
                fmt::format("the checkpoint's normalisation of {} has {} shifts and {} scales, for {} columns", name,
                            scaling.shift.size(), scaling.scale.size(), columns));
  };
  return {.x = part("x", info.inputs), .y = part("y", info.outputs)};
}

}  // namespace lockstep
