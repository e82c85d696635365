#include "score/importance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "core/buffer.hpp"
#include "core/random.hpp"
#include "core/range.hpp"
#include "feed/epoch_batch.hpp"
#include "lockstep/error.hpp"
#include "score/monitor.hpp"

namespace lockstep {
namespace {

// The samples of a data set, with the columns of one group taken from others.
class ShuffledRows {
 public:
  ShuffledRows(const Dataset& data, const Normalization& normalization, RowList rows)
      : data_(data),
        normalization_(normalization),
        rows_(rows),
        from_(rows.empty() ? data.samples() : rows.size()),
        others_(kEvaluationBlock * data.inputs()) {}

  [[nodiscard]] std::size_t samples() const noexcept { return from_.size(); }

  void shuffle(const InputGroup& group, std::uint64_t seed, std::size_t repeat) {
    group_ = &group;
    fill_shuffle(seed, group.columns.front(), repeat, from_);
  }

  // The samples from `first` on, as many as `to` takes.
  void gather(std::size_t first, const BatchRows& to) {
    const std::size_t inputs = data_.inputs();
    const std::size_t count = to.samples.size();
    const auto gathered = std::span(chosen_).first(count);
    for (std::size_t i = 0; i < count; ++i) gathered[i] = row(first + i);
    gather_samples(data_, normalization_, gathered, to);
    for (std::size_t i = 0; i < count; ++i) gathered[i] = row(from_[first + i]);
    const auto others = others_.view().first(count * inputs);
    gather_rows(data_.x, normalization_.x, gathered, others);
    for (std::size_t i = 0; i < count; ++i) {
      for (const std::size_t column : group_->columns) to.x[i * inputs + column] = others[i * inputs + column];
    }
  }

 private:
  [[nodiscard]] std::uint32_t row(std::size_t sample) const {
    return static_cast<std::uint32_t>(row_at(rows_, sample));
  }

  const Dataset& data_;
  const Normalization& normalization_;
  RowList rows_;
  std::vector<std::uint32_t> from_;
  Buffer<float> others_;
  std::array<std::uint32_t, kEvaluationBlock> chosen_{};
  const InputGroup* group_ = nullptr;
};

double value_of(const Scores& scores, const std::string& name) {
  for (const auto& [score, value] : scores.named()) {
    if (score == name) return value;
  }
  throw Error(ErrorKind::usage, fmt::format("importance: there is no score \"{}\"", name));
}

void summarise(InputImportance& input) {
  const auto repeats = static_cast<double>(input.drops.size());
  input.mean = std::accumulate(input.drops.begin(), input.drops.end(), 0.0) / repeats;
  double squares = 0;
  for (const double drop : input.drops) squares += (drop - input.mean) * (drop - input.mean);
  input.deviation = std::sqrt(squares / repeats);
}

}  // namespace

std::vector<InputGroup> input_groups(const ColumnNames& columns, std::size_t inputs) {
  std::vector<InputGroup> groups;
  std::map<std::size_t, std::size_t> place_of;  // categorical column -> group
  for (std::size_t column = 0; column < inputs; ++column) {
    const bool named = column < columns.features.size();
    const std::size_t category = named ? columns.column_of(columns.features[column]) : columns.categorical.size();
    if (category == columns.categorical.size()) {
      groups.push_back({named ? columns.features[column] : fmt::format("column {}", column), {column}});
      continue;
    }
    const auto [place, is_new] = place_of.try_emplace(category, groups.size());
    if (is_new) groups.push_back({columns.categorical[category], {}});
    groups[place->second].columns.push_back(column);
  }
  return groups;
}

void fill_shuffle(std::uint64_t seed, std::size_t column, std::size_t repeat, std::span<std::uint32_t> samples) {
  fill_permutation({.seed = seed,
                    .purpose = RandomPurpose::importance,
                    .index = static_cast<std::uint32_t>(column % (1U << 24U)),
                    .step = static_cast<std::uint32_t>(repeat),
                    .sample = static_cast<std::uint32_t>(column >> 24U)},
                   samples);
}

std::vector<InputImportance> permutation_importance(const Communicator& comm, const Net& net, const Dataset& data,
                                                    const Normalization& normalization, RowList rows,
                                                    std::span<const InputGroup> groups, double whole,
                                                    const ImportanceOptions& options) {
  const std::size_t tasks = groups.size() * options.repeats;
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::vector<std::size_t> starts;
  for (std::size_t rank = 0; rank <= ranks; ++rank) {
    starts.push_back(rank < ranks ? part_of(tasks, rank, ranks).begin : tasks);
  }
  const Range mine{starts[static_cast<std::size_t>(comm.rank())], starts[static_cast<std::size_t>(comm.rank()) + 1]};
  const double sign = smaller_is_better(options.score, net.loss).value() ? 1 : -1;
  std::vector<double> drops;
  comm.together([&] {
    drops.resize(tasks);
    if (mine.empty()) return;
    const Communicator self(MPI_COMM_SELF);  // scores of one rank's own are the bits of those of all
    ShuffledRows shuffled(data, normalization, rows);
    for (std::size_t task = mine.begin; task < mine.end; ++task) {
      shuffled.shuffle(groups[task / options.repeats], options.seed, task % options.repeats);
      const Scores scores = evaluate_local(self, net, shuffled.samples(), data.extras(),
                                           {.shift = normalization.y.shift, .scale = normalization.y.scale},
                                           [&](std::size_t first, const BatchRows& to) {
                                             comm.pulse().beat();
                                             shuffled.gather(first, to);
                                           },
                                           {.by_order = goes_by_order(options.score)});
      drops[task] = sign * (value_of(scores, options.score) - whole);
      if (comm.is_root() && options.done) options.done(task + 1 - mine.begin, mine.size());
    }
  });
  comm.gather_parts(drops, starts);
  std::vector<InputImportance> inputs;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    const auto of_group = std::span(drops).subspan(group * options.repeats, options.repeats);
    inputs.push_back({.input = groups[group], .drops = {of_group.begin(), of_group.end()}});
    summarise(inputs.back());
  }
  std::ranges::stable_sort(inputs, std::ranges::greater{}, &InputImportance::mean);
  return inputs;
}

}  // namespace lockstep
