#include "step/step_record.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>

#include "core/tree.hpp"
#include "step/engine.hpp"

namespace lockstep {
namespace {

// The values of all ranks, one rank's behind the other's. Collective.
template <class T>
std::vector<T> gather(const Communicator& comm, const std::vector<T>& mine) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::string bytes(mine.size() * sizeof(T), '\0');
  if (!mine.empty()) std::memcpy(bytes.data(), mine.data(), bytes.size());
  std::vector<T> all;
  for (const std::string& of_rank : comm.gather_texts(bytes)) {
    const std::size_t begin = all.size();
    all.resize(begin + of_rank.size() / sizeof(T));
    if (!of_rank.empty()) std::memcpy(all.data() + begin, of_rank.data(), of_rank.size());
  }
  return all;
}

// Fills a record, as long as it lives, with what an engine's steps do.
class Recording final : public StepObserver {
 public:
  Recording(Engine& engine, StepRecord& record) : engine_(engine), record_(record) { engine.observe(this); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  ~Recording() override { engine_.observe(nullptr); }

  void on_gradient(const ShardView& shard, std::span<const float> gradient, Range elements) override {
    if (!elements.contains(record_.element)) return;
    const Range places{record_.samples.size(), record_.samples.size() + shard.samples.size()};
    record_.shards.push_back({shard.shard, 0, places, shard.sums[0], shard.sums[1], gradient[record_.element]});
    record_.samples.insert(record_.samples.end(), shard.samples.begin(), shard.samples.end());
  }
  void on_update(Range block, const PairSum& sum, const UpdateStep& step) override {
    if (block.contains(record_.element)) record_.updates.push_back({0, sum[record_.element - block.begin], step});
  }

 private:
  Engine& engine_;
  StepRecord& record_;
};

float add_node(Range node, std::span<const float> gradients, std::vector<GradientNode>& nodes) {
  float sum = gradients[node.begin];
  if (node.size() > 1) {
    const std::size_t mid = tree_split(node);
    const float left = add_node({node.begin, mid}, gradients, nodes);
    sum = left + add_node({mid, node.end}, gradients, nodes);
  }
  nodes.push_back({node, sum});
  return sum;
}

}  // namespace

StepResult record_step(Engine& engine, Batch& batch, std::size_t element, StepRecord& record) {
  const Communicator& comm = engine.comm();
  engine.settle();
  record = {.element = element, .before = engine.weights()[element]};
  StepResult result;
  {
    const Recording recording(engine, record);
    result = engine.train_step(batch);
  }
  engine.settle();
  const auto rank = static_cast<std::size_t>(comm.rank());
  for (ShardGradient& shard : record.shards) shard.rank = rank;
  for (WeightUpdate& update : record.updates) update.rank = rank;
  record.after = gather(comm, std::vector<float>{engine.weights()[element]});
  record.updates = gather(comm, record.updates);
  record.samples = gather(comm, record.samples);
  record.shards = gather(comm, record.shards);
  std::size_t begin = 0;
  for (ShardGradient& shard : record.shards) {
    shard.samples = {begin, begin + shard.samples.size()};
    begin = shard.samples.end;
  }
  std::ranges::sort(record.shards, {}, &ShardGradient::shard);
  return result;
}

std::vector<GradientNode> add_in_tree(std::span<const float> gradients) {
  std::vector<GradientNode> nodes;
  if (!gradients.empty()) (void)add_node({0, gradients.size()}, gradients, nodes);
  return nodes;
}

}  // namespace lockstep
