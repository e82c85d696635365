// A small made-up problem and a run over it, for the tests of training.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "data/normalization.hpp"
#include "feed/dataset_batch.hpp"
#include "step/engine.hpp"

namespace lockstep::test {

/// `samples` points of 6 columns with labels 0, 1, 2.
inline Dataset make_dataset(std::size_t samples) {
  Dataset data;
  data.source = "made up";
  std::vector<float> x(samples * 6);
  fill_uniform({3, RandomPurpose::bench, 0, 0, 0}, -1.0F, 1.0F, x);
  std::vector<std::int32_t> y(samples);
  for (std::size_t i = 0; i < samples; ++i) y[i] = x[6 * i] + x[6 * i + 1] > 0.3F ? 2 : x[6 * i + 2] > 0 ? 1 : 0;
  data.x = make_table(6, std::move(x));
  data.y = make_table(1, std::move(y));
  return data;
}

/// All that makes equal bits hard: dropout, Adam, clipping, several activations.
inline RunConfig make_run(std::int64_t shards, const std::string& exchange) {
  RunConfig run;
  run.seed = 5;
  run.model.loss = {"softmax_cross_entropy"};
  run.model.layers = {{"dense", {{"units", 9}}}, {"tanh"}, {"dropout", {{"rate", 0.2}}},
                      {"dense", {{"units", 7}}}, {"gelu"}, {"dense", {{"units", 3}}}};
  run.train.shards = shards;
  run.train.exchange = exchange;
  run.optimizer.type = "adam";
  run.optimizer.lr = 0.02;
  run.optimizer.clip_norm = 0.5;
  return run;
}

inline std::unique_ptr<Engine> make_engine(const Communicator& comm, const RunConfig& run) {
  return std::make_unique<Engine>(comm, run, EngineParts(run, 6, 100));
}

/// Losses of `epochs` epochs over `data` in batches of `batch`.
inline std::vector<double> train(Engine& engine, const Dataset& data, std::size_t batch, std::uint64_t epochs) {
  const Normalization plain;
  const EpochPlan plan{data.samples(), batch};
  DatasetBatch batches(data, plain, plan, engine.shards(), 5);
  std::vector<double> losses;
  for (std::uint64_t epoch = 0; epoch < epochs; ++epoch) {
    batches.start_epoch(epoch);
    for (std::size_t b = 0; b < plan.batches(); ++b) {
      batches.select(b);
      losses.push_back(engine.train_step(batches).loss);
    }
  }
  return losses;
}

}  // namespace lockstep::test
