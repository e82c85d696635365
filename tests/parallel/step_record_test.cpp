// A step's record: the gradients are those that a backward pass of its own gives, their sum is the exchange's to the
// bit, and nothing changes by looking.
#include "step/step_record.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <optional>

#include "parallel/training.hpp"

namespace lockstep {
namespace {

using test::make_dataset;
using test::make_engine;
using test::make_run;

constexpr std::size_t kBatch = 70;

class StepRecordTest : public testing::Test {
 protected:
  StepRecordTest() {
    const Communicator plain(MPI_COMM_WORLD);
    if (plain.nodes() > 1 || plain.size() == 1) return;  // the ranks are on several hosts in truth, or none can be made
    turns.emplace(MPI_COMM_WORLD, Communicator::Order::by_host, plain.rank() % 2);
  }

  // All jobs that there can be: on one host, and on two where there are ranks for them.
  [[nodiscard]] std::vector<const Communicator*> placements() const {
    if (!turns) return {&world};
    return {&world, &*turns};
  }

  // Of the whole data set, in its own order.
  struct Batches {
    Batches(const Dataset& data, const ShardPlan& shards, std::size_t batch = kBatch)
        : batch(data, plain, {data.samples(), batch}, shards, 5) {
      this->batch.start_epoch(0);
      this->batch.select(0);
    }
    Normalization plain;
    DatasetBatch batch;
  };

  // The gradient of every shard [shards][arena], each by a forward and a backward pass of its own.
  static std::vector<std::vector<float>> plain_gradients(const Engine& engine, Batch& batch,
                                                         std::vector<std::vector<std::uint32_t>>& samples) {
    const Model& model = engine.model();
    Workspace workspace = model.make_workspace(kBatch, true);
    RowBuffer buffer(model.outputs(), engine.loss().targets());
    buffer.reserve(kBatch);
    std::vector<std::vector<float>> gradients;
    for (std::size_t shard = 0; shard < engine.shards().shards; ++shard) {
      const std::size_t rows = batch.rows(shard);
      batch.gather(shard, buffer.rows(rows, workspace.input(rows)));
      samples.emplace_back(buffer.samples(rows).begin(), buffer.samples(rows).end());
      const Pass pass{true, static_cast<std::uint64_t>(engine.run().seed),
                      static_cast<std::uint32_t>(engine.info.position.step), buffer.samples(rows)};
      const auto outputs = model.forward(pass, engine.weights(), rows, workspace);
      (void)engine.loss().evaluate(model.outputs(), outputs, buffer.targets(rows), workspace.doutputs(rows));
      gradients.emplace_back(model.parameters().arena_size());
      model.backward(pass, engine.weights(), rows, workspace, gradients.back(), [](Range) {});
    }
    return gradients;
  }

  static std::vector<float> gradients_of(const StepRecord& record) {
    std::vector<float> gradients;
    for (const ShardGradient& shard : record.shards) gradients.push_back(shard.gradient);
    return gradients;
  }

  // One element of each parameter, in the second block where there is one.
  static std::vector<std::size_t> elements_of(const Model& model) {
    std::vector<std::size_t> elements;
    for (const Parameter& parameter : model.parameters().entries()) elements.push_back(parameter.range.end - 1);
    return elements;
  }

  Communicator world{MPI_COMM_WORLD};
  std::optional<Communicator> turns;
};

TEST_F(StepRecordTest, HoldsTheGradientThatEachShardHasAlone) {
  const Dataset data = make_dataset(kBatch);
  for (const Communicator* comm : placements()) {
    for (const char* exchange : {"node", "tree", "allreduce"}) {
      for (const std::int64_t shards : {5, 8}) {
        SCOPED_TRACE(testing::Message() << exchange << ", " << shards << " shards, " << comm->nodes() << " hosts");
        const auto engine = make_engine(*comm, make_run(shards, exchange));
        Batches batches(data, engine->shards());
        std::vector<std::vector<std::uint32_t>> samples;
        const auto gradients = plain_gradients(*engine, batches.batch, samples);
        const std::size_t element = elements_of(engine->model())[2];
        StepRecord record;
        const StepResult result = record_step(*engine, batches.batch, element, record);
        double loss = 0;
        ASSERT_EQ(record.shards.size(), gradients.size());
        for (std::size_t shard = 0; shard < gradients.size(); ++shard) {
          const ShardGradient& found = record.shards[shard];
          EXPECT_EQ(found.shard, shard);
          EXPECT_EQ(found.gradient, gradients[shard][element]);
          EXPECT_TRUE(engine->shards().owned(found.rank).contains(shard));
          const auto first = record.samples.begin() + static_cast<std::ptrdiff_t>(found.samples.begin);
          EXPECT_EQ(std::vector(first, first + static_cast<std::ptrdiff_t>(found.samples.size())), samples[shard]);
          loss += found.loss;
        }
        EXPECT_NEAR(loss / static_cast<double>(kBatch), result.loss, 1e-12);  // added in another order, in double
      }
    }
  }
}

TEST_F(StepRecordTest, TheTreesSumIsWhatTheExchangeGives) {
  const Dataset data = make_dataset(kBatch);
  for (const Communicator* comm : placements()) {
    for (const char* exchange : {"node", "tree"}) {
      for (const char* optimizer : {"sgd", "adam", "lamb"}) {  // of which lamb visits the blocks twice
        RunConfig run = make_run(7, exchange);
        run.model.layers[0].options.set("units", 700);  // several blocks
        run.optimizer.type = optimizer;
        run.optimizer.clip_norm = 0;
        const auto engine = make_engine(*comm, run);
        Batches batches(data, engine->shards());
        for (const std::size_t element : elements_of(engine->model())) {
          SCOPED_TRACE(testing::Message() << exchange << ", " << optimizer << ", element " << element << ", "
                                          << comm->nodes() << " hosts");
          const float before = engine->weights()[element];
          StepRecord record;
          const StepResult result = record_step(*engine, batches.batch, element, record);
          const std::vector<GradientNode> nodes = add_in_tree(gradients_of(record));
          ASSERT_FALSE(record.updates.empty());
          for (const WeightUpdate& update : record.updates) {
            EXPECT_EQ(update.sum, nodes.back().sum);
            EXPECT_EQ(update.step.divisor, static_cast<double>(kBatch));
            EXPECT_EQ(update.step.lr, result.learning_rate);
          }
          EXPECT_EQ(record.before, before);
          const auto ranks = static_cast<std::size_t>(comm->size());
          EXPECT_EQ(record.after, std::vector<float>(ranks, engine->weights()[element]));
          EXPECT_NE(record.after[0], before);
          if (std::string(optimizer) != "sgd") continue;
          const float scale = 1.0F / static_cast<float>(kBatch);
          EXPECT_EQ(record.after[0], before - static_cast<float>(result.learning_rate) * (nodes.back().sum * scale));
        }
      }
    }
  }
}

TEST_F(StepRecordTest, NamesEveryRankThatUpdatesTheWeight) {
  const Dataset data = make_dataset(kBatch);
  for (const Communicator* comm : placements()) {
    const auto updates = [&](const char* exchange, const char* wire) {
      RunConfig run = make_run(5, exchange);
      run.train.wire = wire;
      const auto engine = make_engine(*comm, run);
      Batches batches(data, engine->shards());
      StepRecord record;
      record_step(*engine, batches.batch, 0, record);
      return record.updates.size();
    };
    EXPECT_EQ(updates("node", "float32"), 1U);
    EXPECT_EQ(updates("tree", "float32"), static_cast<std::size_t>(comm->size()));
    EXPECT_EQ(updates("node", "bfloat16"), static_cast<std::size_t>(comm->nodes()));  // one a host
  }
}

TEST_F(StepRecordTest, ChangesNothing) {
  const Dataset data = make_dataset(kBatch);
  for (const Communicator* comm : placements()) {
    const auto watched = make_engine(*comm, make_run(5, "node"));
    const auto other = make_engine(*comm, make_run(5, "node"));
    Batches batches(data, watched->shards(), 32);
    StepRecord record;
    EXPECT_EQ(record_step(*watched, batches.batch, 0, record).loss, other->train_step(batches.batch).loss);
    EXPECT_EQ(watched->digest(), other->digest());
    const std::size_t shards = record.shards.size();
    watched->train_step(batches.batch);
    EXPECT_EQ(record.shards.size(), shards);  // nothing is recorded any more
  }
}

TEST_F(StepRecordTest, AStepThatIsLeftOutHasNoUpdate) {
  class BadBatch final : public Batch {
   public:
    explicit BadBatch(Batch& good) : good_(good) {}
    [[nodiscard]] std::size_t samples() const override { return good_.samples(); }
    [[nodiscard]] std::size_t rows(std::size_t shard) const override { return good_.rows(shard); }
    void gather(std::size_t shard, const BatchRows& rows) override {
      good_.gather(shard, rows);
      if (shard == 3) rows.x[0] = std::numeric_limits<float>::quiet_NaN();
    }

   private:
    Batch& good_;
  };
  const Dataset data = make_dataset(kBatch);
  RunConfig run = make_run(5, "node");
  run.train.on_nonfinite = "skip";
  const auto engine = make_engine(world, run);
  Batches batches(data, engine->shards());
  BadBatch bad(batches.batch);
  StepRecord record;
  const StepResult result = record_step(*engine, bad, 0, record);
  EXPECT_NE(result.skipped.find("shard 3"), std::string::npos) << result.skipped;
  EXPECT_TRUE(record.updates.empty());
  EXPECT_EQ(record.shards.size(), 5U);
  EXPECT_EQ(record.after[0], record.before);
}

TEST(AddInTree, AddsInTheOrderOfTheTree) {
  const std::vector<float> gradients{1e8F, 1, 1, 1, 1, -1e8F};
  const std::vector<GradientNode> nodes = add_in_tree(gradients);
  ASSERT_EQ(nodes.size(), 11U);
  EXPECT_EQ(nodes.back().shards, (Range{0, 6}));
  EXPECT_EQ(nodes.back().sum, ((1e8F + 1) + (1.0F + 1)) + (1 + -1e8F));  // one after the other it would be 0
  EXPECT_EQ(nodes[2].shards, (Range{0, 2}));
  EXPECT_TRUE(add_in_tree({}).empty());
}

}  // namespace
}  // namespace lockstep
