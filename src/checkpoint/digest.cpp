#include "checkpoint/checkpoint.hpp"
#include "core/hash.hpp"

namespace lockstep {
namespace {

void add_arrays(Hash& hash, const ParameterTable& table, std::span<const float> arena) {
  for (const Parameter& parameter : table.entries()) {
    hash.text(parameter.layer);
    hash.text(parameter.name);
    hash.integer(parameter.shape.size());
    for (const std::size_t extent : parameter.shape) hash.integer(extent);
    hash.floats(arena.subspan(parameter.range.begin, parameter.range.size()));
  }
}

}  // namespace

std::string digest_of(const CheckpointArrays& arrays, const Position& position, std::int64_t seed) {
  Hash hash;
  add_arrays(hash, arrays.table, arrays.weights);
  for (std::size_t slot = 0; slot < arrays.slots.size(); ++slot) {
    hash.text(arrays.slot_names[slot]);
    add_arrays(hash, arrays.table, arrays.slots[slot]);
  }
  if (!arrays.ema.empty()) {
    hash.text("ema");
    add_arrays(hash, arrays.table, arrays.ema);
  }
  hash.integer(position.step);
  hash.integer(position.epoch);
  hash.integer(position.position);
  hash.integer(static_cast<std::uint64_t>(seed));
  return hash.hex();
}

}  // namespace lockstep
