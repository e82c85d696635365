#include "train/evaluation.hpp"

#include <algorithm>
#include <vector>

#include "core/tree.hpp"
#include "data/shard_plan.hpp"
#include "train/block_reader.hpp"
#include "train/engine.hpp"

namespace lockstep {
namespace {

// The first block of each rank, and the number of blocks behind them.
std::vector<std::size_t> deal(std::size_t blocks, const Communicator& comm) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::vector<std::size_t> starts;
  for (std::size_t rank = 0; rank < ranks; ++rank) starts.push_back(part_of(blocks, rank, ranks).begin);
  starts.push_back(blocks);
  return starts;
}

// What is summed up of each block: that of the metrics and what the rows weigh; where samples have weights, then the
// same again with each of them counted once.
class BlockSums {
 public:
  BlockSums(const Loss& loss, std::size_t outputs, const TargetUnits& units, SampleExtras extras)
      : loss_(loss), outputs_(outputs), metrics_(loss.task(), width(loss, outputs), units, extras) {
    if (extras.weights) plain_.emplace(loss.task(), width(loss, outputs), units, plain_extras(extras));
  }
  [[nodiscard]] std::size_t columns() const { return of(metrics_) + (plain_ ? of(*plain_) : 0); }
  [[nodiscard]] std::size_t counts() const { return (plain_ ? *plain_ : metrics_).num_counts(); }

  void add(std::span<const float> outputs, Targets targets, std::span<float> slopes, std::span<double> sums,
           std::span<std::int64_t> counts) const {
    add_to(metrics_, outputs, targets, slopes, sums.first(of(metrics_)), plain_ ? counts.first(0) : counts);
    targets.weights = {};
    if (plain_) add_to(*plain_, outputs, targets, slopes, sums.subspan(of(metrics_)), counts);
  }

  [[nodiscard]] Scores finish(std::size_t samples, std::span<const double> totals,
                              std::span<const std::int64_t> counts) const {
    if (!plain_) return scores(metrics_, samples, totals, counts);
    Scores each = scores(*plain_, samples, totals.subspan(of(metrics_)), counts);
    Scores result = scores(metrics_, samples, totals.first(of(metrics_)), counts.first(0));
    result.unweighted = each.named();
    result.class_samples = std::move(each.class_samples);
    result.class_right = std::move(each.class_right);
    result.confusion = std::move(each.confusion);
    return result;
  }

 private:
  static std::size_t width(const Loss& loss, std::size_t outputs) {
    return loss.targets() == TargetKind::labels ? outputs : loss.num_targets(outputs);
  }
  static SampleExtras plain_extras(SampleExtras extras) { return {.missing = extras.missing}; }
  static std::size_t of(const Metrics& metrics) { return metrics.num_sums() + 1; }

  void add_to(const Metrics& metrics, std::span<const float> outputs, const Targets& targets, std::span<float> slopes,
              std::span<double> sums, std::span<std::int64_t> counts) const {
    const double loss = loss_.evaluate(outputs_, outputs, targets, slopes);
    metrics.add_block(loss, outputs, targets, sums.first(metrics.num_sums()), counts);
    sums.back() = loss_.weight(outputs.size() / outputs_, targets);
  }
  static Scores scores(const Metrics& metrics, std::size_t samples, std::span<const double> totals,
                       std::span<const std::int64_t> counts) {
    Scores scores = metrics.finish(samples, totals.first(metrics.num_sums()), counts);
    scores.loss = totals.front() / totals.back();
    return scores;
  }

  const Loss& loss_;
  std::size_t outputs_;
  Metrics metrics_;
  std::optional<Metrics> plain_;
};

// Sums of this rank's blocks; `starts` [ranks + 1] deals the blocks to the ranks. `fill(block, row buffer)` returns the
// rows of a block after filling them.
template <class Rows, class Fill>
Scores evaluate_blocks(const Communicator& comm, const Net& net, const BlockSums& block_sums, SampleExtras extras,
                       std::size_t samples, std::span<const std::size_t> starts, Rows rows_of, Fill fill) {
  const auto rank = static_cast<std::size_t>(comm.rank());
  const std::size_t columns = block_sums.columns();
  std::vector<double> sums;
  std::vector<std::int64_t> counts;
  comm.together([&] {  // samples that are read only now may be gone on one rank, and so may memory
    sums.resize(starts.back() * columns);
    counts.resize(block_sums.counts());
    Workspace workspace = net.model.make_workspace(kEvaluationBlock, false);
    RowBuffer buffer(net.loss.num_targets(net.model.outputs()), net.loss.targets());
    buffer.expect(extras);
    buffer.reserve(kEvaluationBlock);
    for (std::size_t block = starts[rank]; block < starts[rank + 1]; ++block) {
      comm.pulse().beat();
      const std::size_t rows = rows_of(block);
      fill(block, buffer.rows(rows, workspace.input(rows)));
      const auto outputs = net.model.forward(Pass{}, net.weights, rows, workspace);
      block_sums.add(outputs, buffer.targets(rows), workspace.doutputs(rows),
                     std::span(sums).subspan(block * columns, columns), counts);
    }
  });
  std::vector<std::size_t> value_starts(starts.begin(), starts.end());
  for (std::size_t& start : value_starts) start *= columns;
  comm.gather_parts(sums, value_starts);
  comm.sum(counts);
  std::vector<double> totals;
  for (std::size_t column = 0; column < columns; ++column) totals.push_back(tree_sum_column(sums, columns, column));
  return block_sums.finish(samples, totals, counts);
}

}  // namespace

Scores evaluate(const Communicator& comm, const Net& net, const Dataset& data, const Normalization& normalization,
                RowList rows) {
  BlockReader reader(data, normalization, rows, net.loss, net.model.outputs());
  const BlockSums sums(net.loss, net.model.outputs(), {.shift = normalization.y.shift, .scale = normalization.y.scale},
                       data.extras());
  return evaluate_blocks(
      comm, net, sums, data.extras(), reader.samples(), deal(reader.blocks(), comm),
      [&](std::size_t block) { return reader.rows(block); },
      [&](std::size_t block, const BatchRows& to) { reader.gather(block, to); });
}

bool has_r2(const Communicator& comm, const Loss& loss, const Dataset& data, const Normalization& normalization,
            RowList rows) {
  const std::size_t outputs = data.y.columns;
  BlockReader reader(data, normalization, rows, loss, outputs);
  const Metrics metrics(loss.task(), outputs, {.shift = normalization.y.shift, .scale = normalization.y.scale},
                        data.extras());
  const std::size_t columns = metrics.num_sums();
  const std::vector<std::size_t> starts = deal(reader.blocks(), comm);
  const auto rank = static_cast<std::size_t>(comm.rank());
  std::vector<double> sums;
  std::vector<std::int64_t> counts(metrics.num_counts());
  comm.together([&] {  // samples that are read only now may be gone on one rank
    sums.resize(reader.blocks() * columns);
    Buffer<float> x(kEvaluationBlock * data.inputs());
    const Buffer<float> answers(kEvaluationBlock * outputs);  // any will do
    RowBuffer buffer(outputs, loss.targets());
    buffer.expect(data.extras());
    buffer.reserve(kEvaluationBlock);
    for (std::size_t block = starts[rank]; block < starts[rank + 1]; ++block) {
      comm.pulse().beat();
      const std::size_t n = reader.rows(block);
      reader.gather(block, buffer.rows(n, x.view().first(n * data.inputs())));
      metrics.add_block(0, answers.view().first(n * outputs), buffer.targets(n),
                        std::span(sums).subspan(block * columns, columns), counts);
    }
  });
  std::vector<std::size_t> value_starts = starts;
  for (std::size_t& start : value_starts) start *= columns;
  comm.gather_parts(sums, value_starts);
  std::vector<double> totals;
  for (std::size_t column = 0; column < columns; ++column) totals.push_back(tree_sum_column(sums, columns, column));
  return metrics.finish(reader.samples(), totals, counts).r2.has_value();
}

Scores evaluate_local(const Communicator& comm, const Net& net, std::size_t samples, SampleExtras extras,
                      const TargetUnits& units, FunctionRef<void(std::size_t first, const BatchRows& rows)> gather) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  const auto rank = static_cast<std::size_t>(comm.rank());
  std::vector<std::int64_t> blocks(ranks, 0);
  blocks[rank] = static_cast<std::int64_t>(count_blocks(samples));
  comm.sum(blocks);
  std::vector<std::size_t> starts(ranks + 1, 0);
  for (std::size_t r = 0; r < ranks; ++r) starts[r + 1] = starts[r] + static_cast<std::size_t>(blocks[r]);
  const auto total = static_cast<std::size_t>(comm.sum(static_cast<std::int64_t>(samples)));
  if (total == 0) throw Error(ErrorKind::usage, "evaluate: no rank has any samples").as_agreed();
  const auto first_of = [&](std::size_t block) { return (block - starts[rank]) * kEvaluationBlock; };
  const BlockSums sums(net.loss, net.model.outputs(), units, extras);
  return evaluate_blocks(
      comm, net, sums, extras, total, starts,
      [&](std::size_t block) { return std::min(kEvaluationBlock, samples - first_of(block)); },
      [&](std::size_t block, const BatchRows& rows) { gather(first_of(block), rows); });
}

void predict(const Net& net, const Normalization& normalization, std::span<const float> x, std::span<float> outputs) {
  const std::size_t in = net.model.inputs();
  const std::size_t out = net.model.outputs();
  const std::size_t total = x.size() / in;
  if (x.size() != total * in || outputs.size() != total * out) {
    throw Error(ErrorKind::usage, "predict: x must be [n, inputs] and outputs [n, outputs]");
  }
  Workspace workspace = net.model.make_workspace(std::min(total, kEvaluationBlock), false);
  for (std::size_t first = 0; first < total; first += kEvaluationBlock) {
    const std::size_t rows = std::min(kEvaluationBlock, total - first);
    const std::span<float> input = workspace.input(rows);
    std::ranges::copy(x.subspan(first * in, rows * in), input.begin());
    normalize_rows(normalization.x, input);
    const auto answers = net.model.forward(Pass{}, net.weights, rows, workspace);
    const std::span<float> to = outputs.subspan(first * out, rows * out);
    std::ranges::copy(answers, to.begin());
    if (normalization.y.empty()) continue;
    for (std::size_t i = 0; i < to.size(); ++i) {  // as in add_predictions
      const double value = to[i];
      to[i] = static_cast<float>(value * normalization.y.scale[i % out] + normalization.y.shift[i % out]);
    }
  }
}

}  // namespace lockstep
