#include "score/evaluation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "core/number_text.hpp"
#include "core/tree.hpp"
#include "data/shard_plan.hpp"
#include "lockstep/error.hpp"
#include "model/detail_metrics.hpp"
#include "model/predictions.hpp"
#include "model/probabilities.hpp"
#include "score/block_reader.hpp"
#include "score/monitor.hpp"
#include "score/sample_answers.hpp"
#include "step/engine.hpp"

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

// Whether a loss has answers of its own: of several outputs a target, or not the output itself.
bool answers_otherwise(const Loss& loss) {
  return loss.task() == Task::regression && !loss.own_scores().empty();
}

// Of each target the answer that is compared with it, in the units that the net is trained in. Out: [n, targets].
void fill_points(const Loss& loss, std::span<const float> outputs, std::vector<double>& points) {
  const std::size_t each = loss.outputs_per_target();
  std::vector<double> answers(each);
  points.resize(outputs.size() / each);
  for (std::size_t i = 0; i < points.size(); ++i) {
    loss.answer(outputs.subspan(i * each, each), answers);
    points[i] = answers[loss.point()];
  }
}

// What a net says to some rows.
struct Said {
  std::span<const float> outputs;  // [n, outputs]
  std::span<const float> answers;  // of a binary net numbers whose sign is the answer, else the outputs
  std::span<const double> points;  // [n, targets] of a loss with answers of its own, those that are compared
};

// What is summed up of each block: that of the metrics and what the rows weigh; where samples have weights, then the
// same again with each of them counted once.
class BlockSums {
 public:
  BlockSums(const Loss& loss, std::size_t outputs, const TargetUnits& units, SampleExtras extras)
      : loss_(loss), outputs_(outputs), part_(loss, outputs, units, extras) {
    if (extras.weights) plain_.emplace(loss, outputs, units, SampleExtras{.missing = extras.missing});
  }
  [[nodiscard]] std::size_t columns() const { return part_.columns() + (plain_ ? plain_->columns() : 0); }
  [[nodiscard]] std::size_t counts() const { return part_.counts() + (plain_ ? plain_->counts() : 0); }

  void add(const Said& said, Targets targets, std::span<float> slopes, std::span<double> sums,
           std::span<std::int64_t> counts) const {
    add_to(part_, said, targets, slopes, sums.first(part_.columns()), counts.first(part_.counts()));
    if (!plain_) return;
    targets.weights = {};
    add_to(*plain_, said, targets, slopes, sums.subspan(part_.columns()), counts.subspan(part_.counts()));
  }

  /// And the scores with each sample counted once, where samples have weights.
  [[nodiscard]] std::pair<Scores, std::optional<Scores>> finish(std::size_t samples, std::span<const double> totals,
                                                                std::span<const std::int64_t> counts) const {
    std::pair<Scores, std::optional<Scores>> result;
    result.first = scores(part_, samples, totals.first(part_.columns()), counts.first(part_.counts()));
    if (!plain_) return result;
    Scores& each = result.second.emplace(
        scores(*plain_, samples, totals.subspan(part_.columns()), counts.subspan(part_.counts())));
    result.first.class_samples = std::move(each.class_samples);
    result.first.class_right = std::move(each.class_right);
    result.first.confusion = std::move(each.confusion);
    return result;
  }

  static std::size_t width(const Loss& loss, std::size_t outputs) {
    return loss.targets() == TargetKind::labels ? outputs : loss.num_targets(outputs);
  }

 private:
  // By weight, or not: first the sums of the metrics, then what the rows weigh, then the details.
  struct Part {
    Part(const Loss& loss, std::size_t outputs, const TargetUnits& units, SampleExtras extras)
        : metrics(loss, outputs, units, extras),
          details(loss.task(), width(loss, outputs), units, extras, !loss.is_log_loss() && loss.gives_probabilities()) {
    }
    [[nodiscard]] std::size_t columns() const { return metrics.num_sums() + 1 + details.num_sums(); }
    [[nodiscard]] std::size_t counts() const { return metrics.num_counts() + details.num_counts(); }
    Metrics metrics;
    DetailMetrics details;
  };

  void add_to(const Part& part, const Said& said, const Targets& targets, std::span<float> slopes,
              std::span<double> sums, std::span<std::int64_t> counts) const {
    const std::size_t own = part.metrics.num_sums();
    const std::size_t own_counts = part.metrics.num_counts();
    const double loss = loss_.evaluate(outputs_, said.outputs, targets, slopes);
    part.metrics.add_block(loss, said.answers, targets, sums.first(own), counts.first(own_counts));
    sums[own] = loss_.weight(said.outputs.size() / outputs_, targets);
    if (answers_otherwise(loss_)) return part.details.add_points(said.points, targets, sums.subspan(own + 1));
    part.details.add_block(said.outputs, said.answers, targets, sums.subspan(own + 1), counts.subspan(own_counts));
  }
  static Scores scores(const Part& part, std::size_t samples, std::span<const double> totals,
                       std::span<const std::int64_t> counts) {
    const std::size_t own = part.metrics.num_sums();
    const std::size_t own_counts = part.metrics.num_counts();
    Scores scores = part.metrics.finish(samples, totals.first(own), counts.first(own_counts));
    if (!(totals[own] > 0)) {
      throw Error(ErrorKind::data, fmt::format("the {} to be scored weigh {:.6g} in all, by their weights and the "
                                               "targets that are there; expected more than 0, for losses and scores "
                                               "are divided by it",
                                               count_text(samples, "sample"), totals[own]))
          .as_agreed();
    }
    scores.loss = totals.front() / totals[own];
    part.details.finish(totals.subspan(own + 1), counts.subspan(own_counts), scores);
    return scores;
  }

  const Loss& loss_;
  std::size_t outputs_;
  Part part_;
  std::optional<Part> plain_;
};

SampleAnswers answers_of(const Net& net, const TargetUnits& units, SampleExtras extras) {
  return {net.loss, BlockSums::width(net.loss, net.model.outputs()), units, extras};
}

// Sums of this rank's blocks; `starts` [ranks + 1] deals the blocks to the ranks. `fill(block, row buffer)` returns the
// rows of a block after filling them. `said`, unless null, takes what the net says.
template <class Rows, class Fill>
Scores evaluate_blocks(const Communicator& comm, const Net& net, const TargetUnits& units, SampleExtras extras,
                       std::size_t samples, std::span<const std::size_t> starts, Rows rows_of, Fill fill,
                       SampleAnswers* said) {
  const BlockSums block_sums(net.loss, net.model.outputs(), units, extras);
  const auto rank = static_cast<std::size_t>(comm.rank());
  const std::size_t columns = block_sums.columns();
  const bool decides = net.loss.task() == Task::binary && net.threshold != 0.5;
  const bool otherwise = answers_otherwise(net.loss);
  std::vector<double> sums;
  std::vector<std::int64_t> counts;
  comm.together([&] {  // samples that are read only now may be gone on one rank, and so may memory
    sums.resize(starts.back() * columns);
    counts.resize(block_sums.counts());
    if (said != nullptr) said->reserve((starts[rank + 1] - starts[rank]) * kEvaluationBlock);
    Workspace workspace = net.model.make_workspace(kEvaluationBlock, false);
    RowBuffer buffer(net.loss.num_targets(net.model.outputs()), net.loss.targets());
    buffer.expect(extras);
    buffer.reserve(kEvaluationBlock);
    std::vector<float> decided(decides ? kEvaluationBlock * net.model.outputs() : 0);
    std::vector<double> points;
    std::vector<float> rounded;
    for (std::size_t block = starts[rank]; block < starts[rank + 1]; ++block) {
      comm.pulse().beat();
      const std::size_t rows = rows_of(block);
      fill(block, buffer.rows(rows, workspace.input(rows)));
      const auto outputs = net.model.forward(Pass{}, net.weights, rows, workspace);
      const Targets targets = buffer.targets(rows);
      std::span<const float> answers = outputs;
      if (otherwise) {
        fill_points(net.loss, outputs, points);
        rounded.assign(points.begin(), points.end());
      }
      if (said != nullptr) said->add(otherwise ? std::span<const float>(rounded) : outputs, targets);
      if (decides) {
        const auto to = std::span(decided).first(outputs.size());
        fill_answers(net.threshold, outputs, to);
        answers = to;
      }
      block_sums.add({.outputs = outputs, .answers = answers, .points = points}, targets, workspace.doutputs(rows),
                     std::span(sums).subspan(block * columns, columns), counts);
    }
  });
  std::vector<std::size_t> value_starts(starts.begin(), starts.end());
  for (std::size_t& start : value_starts) start *= columns;
  comm.gather_parts(sums, value_starts);
  comm.sum(counts);
  std::vector<double> totals;
  for (std::size_t column = 0; column < columns; ++column) totals.push_back(tree_sum_column(sums, columns, column));
  auto [scores, each] = block_sums.finish(samples, totals, counts);
  if (said != nullptr) {
    said->gather(comm);
    said->score(comm, true, scores);
    if (each) said->score(comm, false, *each);
  }
  if (each) scores.unweighted = each->named();
  return scores;
}

// What takes the answers to `samples` samples, where it is asked for and they are not too many; else why not.
std::optional<SampleAnswers> wanted_answers(const Net& net, const TargetUnits& units, SampleExtras extras,
                                            std::size_t samples, const ScoreOptions& options, std::string& left_out) {
  if (!options.by_order) return std::nullopt;
  SampleAnswers said = answers_of(net, units, extras);
  if (samples <= SampleAnswers::kMostNumbers / said.numbers()) return said;
  left_out = fmt::format(
      "{}: these go by the order of all samples, of which rank 0 takes {} numbers in all; here are {}",
      fmt::join(order_scores(net.loss.task()), ", "), SampleAnswers::kMostNumbers, samples * said.numbers());
  return std::nullopt;
}

}  // namespace

Scores evaluate(const Communicator& comm, const Net& net, const Dataset& data, const Normalization& normalization,
                RowList rows, const ScoreOptions& options) {
  BlockReader reader(data, normalization, rows, net.loss, net.model.outputs());
  const TargetUnits units{.shift = normalization.y.shift, .scale = normalization.y.scale};
  std::string left_out;
  auto said = wanted_answers(net, units, data.extras(), reader.samples(), options, left_out);
  Scores scores = evaluate_blocks(
      comm, net, units, data.extras(), reader.samples(), deal(reader.blocks(), comm),
      [&](std::size_t block) { return reader.rows(block); },
      [&](std::size_t block, const BatchRows& to) { reader.gather(block, to); }, said ? &*said : nullptr);
  scores.left_out = left_out;
  return scores;
}

std::optional<Threshold> find_threshold(const Communicator& comm, const Net& net, const Dataset& data,
                                        const Normalization& normalization, RowList rows, ThresholdRule rule) {
  BlockReader reader(data, normalization, rows, net.loss, net.model.outputs());
  SampleAnswers said = answers_of(net, {}, data.extras());
  if (reader.samples() > SampleAnswers::kMostNumbers / said.numbers()) {
    throw Error(ErrorKind::config, fmt::format("decision.threshold: it is chosen by at most {} numbers, of {} samples; "
                                               "here are {}",
                                               SampleAnswers::kMostNumbers,
                                               SampleAnswers::kMostNumbers / said.numbers(), reader.samples()))
        .as_agreed();
  }
  (void)evaluate_blocks(
      comm, net, {}, data.extras(), reader.samples(), deal(reader.blocks(), comm),
      [&](std::size_t block) { return reader.rows(block); },
      [&](std::size_t block, const BatchRows& to) { reader.gather(block, to); }, &said);
  return said.threshold(comm, rule);
}

bool has_r2(const Communicator& comm, const Loss& loss, const Dataset& data, const Normalization& normalization,
            RowList rows) {
  const std::size_t outputs = data.y.columns;  // the first answer of a loss with several does as well
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
                      const TargetUnits& units, FunctionRef<void(std::size_t first, const BatchRows& rows)> gather,
                      const ScoreOptions& options) {
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
  std::string left_out;
  auto said = wanted_answers(net, units, extras, total, options, left_out);
  Scores scores = evaluate_blocks(
      comm, net, units, extras, total, starts,
      [&](std::size_t block) { return std::min(kEvaluationBlock, samples - first_of(block)); },
      [&](std::size_t block, const BatchRows& rows) { gather(first_of(block), rows); }, said ? &*said : nullptr);
  scores.left_out = left_out;
  return scores;
}

void predict(const Net& net, const Normalization& normalization, std::span<const float> x, std::span<float> outputs) {
  const std::size_t in = net.model.inputs();
  const std::size_t out = net.model.outputs();
  const std::size_t total = x.size() / in;
  if (x.size() != total * in || outputs.size() != total * out) {
    throw Error(ErrorKind::usage, "predict: x must be [n, inputs] and outputs [n, outputs]");
  }
  Workspace workspace = net.model.make_workspace(std::min(total, kEvaluationBlock), false);
  const TargetUnits units{.shift = normalization.y.shift, .scale = normalization.y.scale};
  for (std::size_t first = 0; first < total; first += kEvaluationBlock) {
    const std::size_t rows = std::min(kEvaluationBlock, total - first);
    const std::span<float> input = workspace.input(rows);
    std::ranges::copy(x.subspan(first * in, rows * in), input.begin());
    normalize_rows(normalization.x, input);
    const auto answers = net.model.forward(Pass{}, net.weights, rows, workspace);
    const std::span<float> to = outputs.subspan(first * out, rows * out);
    std::ranges::copy(answers, to.begin());
    if (net.loss.task() == Task::regression) answer_rows(net.loss, units, to);
  }
}

}  // namespace lockstep
