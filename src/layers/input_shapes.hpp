// What layers ask of their inputs. Errors of all: config; who plans the layer adds which one it is, and its inputs.
#pragma once

#include <algorithm>
#include <span>
#include <string>

#include "core/shape.hpp"
#include "lockstep/error.hpp"

namespace lockstep {

/// The shape of the one input.
[[nodiscard]] inline const Shape& only_input(std::span<const Shape> inputs) {
  if (inputs.size() == 1) return inputs.front();
  throw Error(ErrorKind::config, "it takes one input, found " + std::to_string(inputs.size()));
}

/// At least two inputs.
inline void expect_several(std::span<const Shape> inputs) {
  if (inputs.size() < 2) throw Error(ErrorKind::config, "it takes two inputs or more: inputs = [\"...\", \"...\"]");
}

/// The one shape of at least two inputs.
[[nodiscard]] inline const Shape& same_shapes(std::span<const Shape> inputs) {
  expect_several(inputs);
  if (std::ranges::count(inputs, inputs.front()) == static_cast<std::ptrdiff_t>(inputs.size())) return inputs.front();
  throw Error(ErrorKind::config, "expected inputs of one shape");
}

}  // namespace lockstep
