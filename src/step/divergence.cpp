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

std::string Engine::find_in_forward_and_backward(Batch& batch) {
  std::string found;
  const Range owned = plan_.owned(static_cast<std::size_t>(comm_.rank()));
  comm_.together([&] {  // the batch is asked again, and may fail now
    for (std::size_t shard = owned.begin; shard < owned.end && found.empty(); ++shard) {
      comm_.pulse().beat();
      found = find_in_shard(batch, shard);
    }
  });
  // Ranks own shards in their order: the first that has found something has the first shard.
  for (const std::string& text : comm_.gather_texts(found)) {
    if (!text.empty()) return text;
  }
  return "the sum of the shards' gradients is not finite, though each of them is";
}

std::string Engine::find_in_shard(Batch& batch, std::size_t shard) {
  const std::size_t rows = batch.rows(shard);
  if (rows == 0) return "";
  batch.gather(shard, rows_.rows(rows, workspace_.input(rows)));
  const std::span<const std::uint32_t> samples = rows_.samples(rows);
  const Pass pass{true, static_cast<std::uint64_t>(run_.seed), static_cast<std::uint32_t>(info.position.step), samples};
  const auto told = [&](const std::string& what) {
    return fmt::format("{} in shard {} of {} ({})", what, shard, plan_.shards, samples_text(samples));
  };
  const auto in_layer = [&](const std::string& what, std::span<const float> values) {
    return told(fmt::format("{} is not finite for {}", what, samples_text(bad_samples(values, samples))));
  };
  const std::span<const float> input = workspace_.input(rows);
  if (!all_finite(input)) return in_layer("the input", input);
  std::string found;
  const auto outputs = model_.forward(pass, exchange_->weights(), rows, workspace_,
                                      [&](std::size_t layer, std::span<const float> values) {
                                        if (!found.empty() || all_finite(values)) return;
                                        found = in_layer("the output of " + model_.layer_names()[layer], values);
                                      });
  if (!found.empty()) return found;
  const double loss = loss_->evaluate(model_.outputs(), outputs, rows_.targets(rows), workspace_.doutputs(rows));
  if (!std::isfinite(loss)) return told(fmt::format("the loss is {}", loss));
  const std::span<float> gradient = exchange_->gradient();
  model_.backward(pass, exchange_->weights(), rows, workspace_, gradient, [&](Range range) {
    if (!found.empty() || all_finite(gradient.subspan(range.begin, range.size()))) return;
    for (const Parameter& parameter : model_.parameters().entries()) {
      const std::size_t begin = std::max(parameter.range.begin, range.begin);
      const std::size_t end = std::min(parameter.range.end, range.end);
      if (begin >= end || all_finite(gradient.subspan(begin, end - begin))) continue;
      found = told(fmt::format("the gradient of {}/{} is not finite", parameter.layer, parameter.name));
      return;
    }
  });
  return found;
}

std::string Engine::find_in_update(Batch& batch) {
  // The lowest of all ranks. A block's index is exact in a double.
  const auto block = static_cast<std::size_t>(-comm_.max(-static_cast<double>(not_finite_block_)));
  const Parameter& parameter = model_.parameters().entries()[blocks_[block].parameter];
  const std::optional<std::size_t> shard = measures_gradient_ ? std::nullopt : exchange_->not_finite_shard();
  std::string where;
  comm_.together([&] {
    if (!shard) return;
    const std::size_t rows = batch.rows(*shard);
    batch.gather(*shard, rows_.rows(rows, workspace_.input(rows)));
    where = fmt::format("shard {} of {} ({})", *shard, plan_.shards, samples_text(rows_.samples(rows)));
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
