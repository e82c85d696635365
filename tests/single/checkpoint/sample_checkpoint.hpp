// A small checkpoint with something in every field, for the tests.
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.hpp"

namespace lockstep {

/// Owns what CheckpointArrays points to.
struct SampleState {
  ParameterTable table;
  std::vector<float> weights;
  std::vector<std::string_view> slot_names = {"exp_avg", "exp_avg_sq"};
  std::vector<std::vector<float>> slots;
  std::vector<float> ema;

  SampleState() {
    table.add("dense1", "weight", {3, 5}, ParameterKind::weight);
    table.add("dense1", "bias", {3}, ParameterKind::bias);
    table.add("head-2", "weight", {2, 3}, ParameterKind::weight);
    weights = values(0.37F);
    slots = {values(-1.1F), values(1e-20F)};
    ema = values(0.36F);
    weights[0] = -0.0F;
    weights[1] = std::numeric_limits<float>::denorm_min();
  }
  /// Different numbers in every tensor, zeros in the padding.
  [[nodiscard]] std::vector<float> values(float factor) const {
    std::vector<float> arena(table.arena_size());
    for (const Parameter& p : table.entries()) {
      for (std::size_t i = p.range.begin; i < p.range.end; ++i)
        arena[i] = factor * std::sqrt(static_cast<float>(i + 2));
    }
    return arena;
  }
  [[nodiscard]] CheckpointArrays arrays() const {
    CheckpointArrays result{table, weights, slot_names, {}};
    for (const auto& slot : slots) result.slots.emplace_back(slot);
    result.ema = ema;
    return result;
  }
};

inline CheckpointInfo sample_info() {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  CheckpointInfo info;
  info.position = {1234567890123U, 7, 96};
  info.seed = std::numeric_limits<std::int64_t>::max();
  info.shards = 8;
  info.inputs = 5;
  info.outputs = 2;
  info.run = "name = \"é\"\n\n[train]\nbatch = 32\nshards = 8\n";
  info.train_fingerprint = "0123";
  info.test_fingerprint = "4567";
  info.exchange = "tree";
  info.versions = {{"lockstep", "0.1.0"}, {"hdf5", "HDF5 1.10"}, {"blas", "OpenBLAS"}, {"mpi", "Open MPI"}};
  info.blas_kernel = "Haswell";
  info.blas_threads = 3;
  info.simd_target = "AVX2";
  info.class_names = {"plain", "with, comma", "two\nlines", "", "Überschall", "漢", "q\"uote\\"};
  info.columns = {.features = {"age", "c=r\"ed", "c=Überschall", "d", ""},
                  .targets = {"price, net", "weight"},
                  .categorical = {"c"}};
  info.ranks = 4;
  info.hosts = "a,b";
  info.time = "2020-02-02T02:02:02Z";
  info.sums = {1.0 / 3, 96, 32.1, 0.125, 2.5e10};
  info.history = {{"epoch", "train_loss", "test_r2"}, {1, 0.1, nan, 2, 1e-300, -0.5}};
  info.best = Best{"test.loss", 0.1, 64, 2};
  info.normalization = {{"x_shift", {0.1, -2, 3, 4, 5}}, {"x_scale", {1, 1, 1, 1, 1e-9}}};
  return info;
}

}  // namespace lockstep
