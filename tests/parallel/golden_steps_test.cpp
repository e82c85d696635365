// The trainer's own steps against PyTorch's, at any rank count: frozen layers and class weights.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "parallel/training.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::json;

// The golden net with all its samples in one batch, cut into five shards.
class GoldenBatch final : public Batch {
 public:
  GoldenBatch(const Json& golden, ShardPlan plan)
      : x_(golden["x"].get<std::vector<float>>()),
        labels_(golden["labels"].get<std::vector<std::int32_t>>()),
        plan_(plan) {}
  [[nodiscard]] std::size_t samples() const override { return labels_.size(); }
  [[nodiscard]] std::size_t rows(std::size_t shard) const override { return plan_.rows(samples(), shard).size(); }
  void gather(std::size_t shard, const BatchRows& rows) override {
    const Range range = plan_.rows(samples(), shard);
    std::ranges::copy(std::span(x_).subspan(6 * range.begin, 6 * range.size()), rows.x.begin());
    std::ranges::copy(std::span(labels_).subspan(range.begin, range.size()), rows.labels.begin());
    for (std::size_t i = 0; i < range.size(); ++i) rows.samples[i] = static_cast<std::uint32_t>(range.begin + i);
  }

 private:
  std::vector<float> x_;
  std::vector<std::int32_t> labels_;
  ShardPlan plan_;
};

Options options_of(const Json& table) {
  Options options;
  for (const auto& [key, value] : table.items()) {
    if (value.is_array()) {
      options.set(key, value.get<std::vector<double>>());
    } else {
      options.set(key, value.get<double>());
    }
  }
  return options;
}

// tests/golden/make_golden.py; PyTorch in float64 ends within 1e-6 of these float32 numbers.
TEST(GoldenSteps, WithFrozenLayersAndClassWeightsEndWherePyTorchEnds) {
  const Communicator world(MPI_COMM_WORLD);
  constexpr double kThirtySteps = 1e-5;
  std::ifstream file(LOCKSTEP_SOURCE_DIR "/tests/golden/training.json");
  const Json golden = Json::parse(file);
  const Json& cases = golden["frozen_and_weighted"];
  ASSERT_GE(cases.size(), 6U);
  for (const Json& one : cases) {
    SCOPED_TRACE(one["type"].get<std::string>() + " " + one["freeze"].dump() + one["loss_options"].dump());
    RunConfig run;
    run.model.loss = {"softmax_cross_entropy", options_of(one["loss_options"])};
    run.model.layers = {{"dense", {{"units", 8}}}, {"tanh"}, {"dense", {{"units", 7}}}, {"sigmoid"},
                        {"dense", {{"units", 6}}}, {"relu"}, {"dense", {{"units", 4}}}};
    run.model.freeze = one["freeze"].get<std::vector<std::string>>();
    run.train.shards = 5;
    run.optimizer.type = one["type"].get<std::string>();
    run.optimizer.lr = one["lr"].get<double>();
    run.optimizer.options = options_of(one["options"]);
    run.optimizer.clip_norm = one["clip_norm"].get<double>();
    const auto engine = test::make_engine(world, run);
    const auto entries = engine->model().parameters().entries();
    engine->fill_weights([&](std::span<float> weights) {
      for (std::size_t i = 0; i < entries.size(); ++i) {
        std::ranges::copy(golden["start"][i / 2][i % 2].get<std::vector<float>>(),
                          weights.subspan(entries[i].range.begin).begin());
      }
    });
    GoldenBatch batch(golden, engine->shards());
    for (const double loss : one["losses"].get<std::vector<double>>()) {
      EXPECT_NEAR(engine->train_step(batch).loss, loss, kThirtySteps);
    }
    engine->settle();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const auto theirs = one["final"][i / 2][i % 2].get<std::vector<float>>();
      const auto ours = engine->weights().subspan(entries[i].range.begin, entries[i].range.size());
      ASSERT_EQ(ours.size(), theirs.size());
      for (std::size_t k = 0; k < theirs.size(); ++k) ASSERT_NEAR(ours[k], theirs[k], kThirtySteps) << i << " " << k;
    }
  }
}

}  // namespace
}  // namespace lockstep
