// A step that is not finite: where it began, for the one who has to mend it, and whether the run goes on.
//
// Where the loss or the gradient's norm is not finite, nothing has been updated yet, so the step is made again shard by
// shard and looked at from the first layer on. Where only the new weights are not finite, the step cannot be made
// again: the shards' gradients, which are still there, are looked at.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/sums.hpp"
#include "core/tree.hpp"
#include "step/engine.hpp"

namespace lockstep {
namespace {

constexpr std::uint64_t kMostSkipped = 100;  // steps in a row
constexpr std::size_t kMostNamed = 64;       // samples of a shard in a message

std::string samples_text(std::span<const std::uint32_t> samples) {
  const auto named = samples.first(std::min(samples.size(), kMostNamed));
  const std::size_t more = samples.size() - named.size();
  return fmt::format("samples {}{}", fmt::join(named, ", "), more == 0 ? "" : fmt::format(" and {} more", more));
}

// The samples whose row of `values` [n, width] holds something that is not finite.
std::vector<std::uint32_t> bad_samples(std::span<const float> values, std::span<const std::uint32_t> samples) {
  std::vector<std::uint32_t> bad;
  const std::size_t width = values.size() / samples.size();
  for (std::size_t row = 0; row < samples.size(); ++row) {
    if (!all_finite(values.subspan(row * width, width))) bad.push_back(samples[row]);
  }
  return bad;
}

// Looks for the first place of a step that is not finite: by its order in the step, then by its shard.
class Examiner final : public StepObserver {
 public:
  Examiner(const Model& model, std::size_t shards) : model_(model), shards_(shards) {}

  static constexpr std::size_t kOrder = 24;  // characters in front of what is found, by which places are ordered
  // "" where all is finite.
  [[nodiscard]] const std::string& found() const noexcept { return found_; }

  void on_rows(const ShardView& shard, std::span<const float> x) override { look(0, "the input", shard, x); }
  void on_layer(const ShardView& shard, std::size_t layer, std::span<const float> outputs) override {
    look(1 + layer, "the output of " + model_.layer_names()[layer], shard, outputs);
  }
  void on_gradient(const ShardView& shard, std::span<const float> gradient, Range elements) override {
    const std::size_t layers = model_.layer_names().size();
    const auto entries = model_.parameters().entries();
    if (!std::isfinite(shard.sums[0])) tell(1 + layers, fmt::format("the loss is {}", shard.sums[0]), shard);
    for (std::size_t i = entries.size(); i-- > 0;) {
      const Range range = entries[i].range;
      if (!model_.trained()[i] || !elements.contains(range.begin)) continue;
      if (all_finite(gradient.subspan(range.begin, range.size()))) continue;
      tell(2 + layers + entries.size() - i,
           fmt::format("the gradient of {}/{} is not finite", entries[i].layer, entries[i].name), shard);
    }
  }

 private:
  void look(std::size_t order, const std::string& what, const ShardView& shard, std::span<const float> values) {
    if (shard.samples.empty() || all_finite(values)) return;
    tell(order, fmt::format("{} is not finite for {}", what, samples_text(bad_samples(values, shard.samples))), shard);
  }
  void tell(std::size_t order, const std::string& what, const ShardView& shard) {
    std::string text = fmt::format("{:012}{:012}{} in shard {} of {} ({})", order, shard.shard, what, shard.shard,
                                   shards_, samples_text(shard.samples));
    if (found_.empty() || text < found_) found_ = std::move(text);
  }

  const Model& model_;
  std::size_t shards_;
  std::string found_;
};

}  // namespace

void Engine::meet_not_finite(Batch& batch, bool updated, StepResult& result) {
  settle();
  if (is_marked(result)) tell_batch_failure();
  if (result.weight == 0 && std::isfinite(tree_sum_column(shard_sums_, kShardSums, 0))) {
    const SampleExtras extras = batch.extras();
    result.skipped = extras.weights   ? "all its samples have weight 0"
                     : extras.missing ? "all its targets are missing"
                                      : "all its samples are of classes with weight 0";
    return;
  }
  const std::string found = updated ? find_in_update(batch) : find_in_forward_and_backward(batch);
  if (!updated && run_.train.on_nonfinite == "skip" && ++skipped_ < kMostSkipped) {
    result.skipped = found;
    return;
  }
  throw Error(
      ErrorKind::diverged,
      fmt::format("the training diverged in step {}{}: {}; try a smaller learning rate, or optimizer.clip_norm",
                  result.step, skipped_ == kMostSkipped ? ", the last of 100 in a row that are not finite" : "", found))
      .as_agreed();
}

// The step is made once more, and watched; nothing goes to the exchange.
std::string Engine::find_in_forward_and_backward(Batch& batch) {
  Examiner examiner(model_, plan_.shards);
  StepObserver* const observer = std::exchange(observer_, &examiner);
  StepTimes times;
  pass_shards(batch, times, false);
  observer_ = observer;
  tell_batch_failure();  // the batch was asked again, and may fail now
  const std::vector<std::string> found = comm_.gather_texts(examiner.found());
  const std::string& first = *std::ranges::max_element(found, [](const std::string& a, const std::string& b) {
    return a.empty() || (!b.empty() && b < a);  // of those that are not empty the least
  });
  if (first.empty()) return "the sum of the shards' gradients is not finite, though each of them is";
  return first.substr(Examiner::kOrder);
}

std::string Engine::find_in_update(Batch& batch) {
  // The lowest of all ranks. A block's index is exact in a double.
  const auto block = static_cast<std::size_t>(-comm_.max(-static_cast<double>(not_finite_block_)));
  const Parameter& parameter = model_.parameters().entries()[blocks_[block].parameter];
  const std::optional<std::size_t> shard = measures_gradient_ ? std::nullopt : exchange_->not_finite_shard();
  std::string where;
  comm_.together([&] {
    if (!shard) return;
    Room& room = rooms_.front();
    const std::size_t rows = batch.rows(*shard);
    reserve_rows(room, rows);
    batch.gather(*shard, room.buffer.rows(rows, room.workspace.input(rows)));
    where = fmt::format("shard {} of {} ({})", *shard, plan_.shards, samples_text(room.buffer.samples(rows)));
  });
  for (const std::string& text : comm_.gather_texts(where)) {
    if (!text.empty()) {
      return fmt::format("the gradient of {}/{} is not finite, first in {}", parameter.layer, parameter.name, text);
    }
  }
  return fmt::format("the update of {}/{} is not finite, though its gradient in each shard is", parameter.layer,
                     parameter.name);
}

}  // namespace lockstep
