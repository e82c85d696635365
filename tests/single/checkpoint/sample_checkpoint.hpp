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

/// The run that has this state; `optimizer` and `ema` as TOML.
inline std::string sample_run(const std::string& optimizer = "\"adam\"", const std::string& ema = "0.99") {
  return "name = \"é\"\nseed = 9223372036854775807\n\n[model]\nloss = \"mse\"\nlayers = [{type = \"dense\", units = "
         "3}, "
         "{type = \"dense\", units = 2, bias = false, name = \"head-2\"}]\n\n[train]\nbatch = 32\nshards = 8\nthreads "
         "= "
         "3\nema = " +
         ema + "\n\n[optimizer]\ntype = " + optimizer + "\n";
}

inline CheckpointInfo sample_info() {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  CheckpointInfo info;
  info.position = {4294967294U, 2, 96};
  info.seed = std::numeric_limits<std::int64_t>::max();
  info.shards = 8;
  info.inputs = 5;
  info.input_shape = {5};
  info.outputs = 2;
  info.run = sample_run();
  info.train_fingerprint = "0123456789abcdef0123456789abcdef";
  info.test_fingerprint = "fedcba9876543210fedcba9876543210";
  info.exchange = "tree";
  info.versions = {{"lockstep", "0.1.0"}, {"hdf5", "HDF5 1.10"}, {"blas", "OpenBLAS"}, {"mpi", "Open MPI"}};
  info.blas_kernel = "Haswell";
  info.blas_threads = 3;
  info.simd_target = "AVX2";
  info.probe = {{"exp", "0123456789abcdef"}, {"forward", "fedcba9876543210"}};
  info.class_names = {"plain", "with, comma", "two\nlines", "", "Überschall", "漢", "q\"uote\\"};
  info.columns = {.features = {"age", "c=r\"ed", "c=Überschall", "d", ""},
                  .targets = {"price, net", "weight"},
                  .categorical = {"c"}};
  info.ranks = 4;
  info.hosts = "a,b";
  info.time = "2020-02-02T02:02:02Z";
  info.sums = {1.0 / 3, 96, 32.1, 0.125, 2.5e10};
  info.history = {{"epoch", "step", "train_loss", "test_loss", "test_r2"},
                  {1, 32, 0.1, 0.2, nan, 2, 64, 1e-300, 0.1, -0.5}};
  info.best = Best{"test.loss", 0.1, 64, 2};
  info.normalization = {{"x_shift", {0.1, -2, 3, 4, 5}}, {"x_scale", {1, 1, 1, 1, 1e-9}}};
  return info;
}

/// The same before the end of its first epoch, `step` steps from the start.
inline CheckpointInfo sample_info_at(std::uint64_t step) {
  CheckpointInfo info = sample_info();
  info.position = {step, 0, 0};
  info.sums = {};
  info.history = {};
  info.best.reset();
  return info;
}

}  // namespace lockstep
