#include "cli/explain/ranks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/explain/shard_tree.hpp"
#include "cli/output.hpp"
#include "core/json_text.hpp"
#include "core/number_text.hpp"
#include "core/weight_name.hpp"
#include "explain/explanation.hpp"
#include "feed/epoch_batches.hpp"
#include "step/step_record.hpp"

namespace lockstep::cli {
namespace {

constexpr std::size_t kMostRows = 32;     // of shards, in the table
constexpr std::size_t kLargest = 8;       // shards that stand for more
constexpr std::size_t kSamplesText = 26;  // columns

// The step, as rank 0 tells it.
struct Told {
  const Communicator& comm;
  const Engine& engine;
  std::string name;
  std::string weight;
  std::uint64_t epoch = 0;  // from 1
  bool beyond_end = false;
  StepResult result = {};
  StepRecord record = {};
  std::vector<DrawnNode> tree = {};

  [[nodiscard]] const RunConfig& run() const { return engine.run(); }
  [[nodiscard]] const Exchange& exchange() const { return engine.exchange(); }
  [[nodiscard]] float root() const { return tree.back().node.sum; }
  [[nodiscard]] int rank_of(std::size_t shard) const { return comm.launch_rank(record.shards[shard].rank); }
};

std::string bits_text(float value) {
  return fmt::format("{:#010x}", std::bit_cast<std::uint32_t>(value));
}

bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

bool same_weight_everywhere(const Told& told) {
  return std::ranges::all_of(told.record.after, [&](float value) { return same_bits(value, told.record.after[0]); });
}

bool used_the_root(const Told& told) {
  return std::ranges::all_of(told.record.updates, [&](const auto& u) { return same_bits(u.sum, told.root()); });
}

// What the numbers must be, or the program is wrong. Errors: internal.
void check(const Told& told) {
  if (told.exchange().same_bits_at_any_rank_count() && !used_the_root(told)) {
    throw Error(ErrorKind::internal, fmt::format("exchange {}: expected {} in the order of the tree as the sum of the "
                                                 "gradients of {}, but a rank was given another",
                                                 told.exchange().name(), told.root(), told.weight));
  }
  if (!same_weight_everywhere(told)) {
    throw Error(ErrorKind::internal, fmt::format("{} is not the same on all ranks after the step: {}", told.weight,
                                                 fmt::join(told.record.after, ", ")));
  }
}

// The weight to be followed. Errors: usage, config.
WeightPlace weight_to_follow(const CommandInput& input, const Model& model) {
  const ParameterTable& table = model.parameters();
  if (table.entries().empty()) {
    throw Error(ErrorKind::usage, "explain --ranks: the net has no layers with weights, so a step adds up nothing");
  }
  if (input.options.count("weight") == 0) {
    // Of the last layer: in the first, inputs that are always 0, or units that are off, have no gradient to show.
    std::size_t chosen = 0;
    for (std::size_t index = 0; index < table.entries().size(); ++index) {
      const bool bias = table.entries()[index].kind == ParameterKind::bias;
      if (model.trained()[index] && (!bias || !model.trained()[chosen])) chosen = index;
    }
    return {.parameter = chosen, .element = table.entries()[chosen].range.begin};
  }
  const WeightPlace place = find_weight(table, input.options["weight"].as<std::string>(), "--weight");
  check_trained(model, place);
  return place;
}

Reach reach_of(const Told& told, Range shards) {
  const std::size_t first = told.record.shards[shards.begin].rank;
  const std::size_t last = told.record.shards[shards.end - 1].rank;
  if (first == last) return Reach::rank;
  return told.comm.hosts_of_ranks()[first] == told.comm.hosts_of_ranks()[last] ? Reach::host : Reach::hosts;
}

void add_tree(Told& told) {
  std::vector<float> gradients;
  for (const ShardGradient& shard : told.record.shards) gradients.push_back(shard.gradient);
  for (const GradientNode& node : add_in_tree(gradients)) told.tree.push_back({node, reach_of(told, node.shards)});
}

std::vector<int> updating_ranks(const Told& told) {
  std::vector<int> ranks;
  for (const WeightUpdate& update : told.record.updates) ranks.push_back(told.comm.launch_rank(update.rank));
  std::ranges::sort(ranks);
  return ranks;
}

nlohmann::ordered_json to_json(const Told& told) {
  const StepRecord& record = told.record;
  nlohmann::ordered_json json;
  json["of"] = told.name;
  json["step"] = told.result.step;
  json["epoch"] = told.epoch;
  json["weight"] = told.weight;
  json["exchange"] = told.exchange().name();
  json["wire"] = told.run().train.wire;
  json["optimizer"] = told.run().optimizer.type;
  json["ranks"] = told.comm.size();
  json["hosts"] = told.comm.nodes();
  json["samples"] = told.result.samples;
  json["loss"] = told.result.loss;
  json["learning_rate"] = told.result.learning_rate;
  if (told.result.gradient_norm) json["gradient_norm"] = *told.result.gradient_norm;
  for (const ShardGradient& shard : record.shards) {
    const auto samples = std::span(record.samples).subspan(shard.samples.begin, shard.samples.size());
    json["shards"].push_back({{"shard", shard.shard},
                              {"rank", told.comm.launch_rank(shard.rank)},
                              {"samples", std::vector(samples.begin(), samples.end())},
                              {"loss_sum", shard.loss},
                              {"weight", shard.weight},
                              {"gradient", shard.gradient}});
  }
  for (const DrawnNode& drawn : told.tree) {
    const Range shards = drawn.node.shards;
    constexpr std::array kReach = {"rank", "host", "hosts"};
    json["tree"].push_back({{"shards", {shards.begin, shards.end - 1}},
                            {"within", kReach.at(static_cast<std::size_t>(drawn.reach))},
                            {"sum", drawn.node.sum}});
  }
  json["sum_of_tree"] = told.root();
  json["updated_by"] = updating_ranks(told);
  if (!record.updates.empty()) {
    const WeightUpdate& update = record.updates.front();
    json["sum_used"] = update.sum;
    json["same_bits"] = used_the_root(told);
    json["divisor"] = update.step.divisor;
    json["clip"] = update.step.clip;
    json["scale"] = update.step.scale();
    json["mean_gradient"] = update.sum * update.step.scale();
  }
  json["before"] = record.before;
  json["after"] = record.after[0];
  json["after_bits"] = bits_text(record.after[0]);
  json["same_bits_on_all_ranks"] = same_weight_everywhere(told);
  json["skipped"] = told.result.skipped;
  return json;
}

// "rank 1", "ranks 0 and 2", "all 4 ranks", "3 of 8 ranks".
std::string ranks_text(const Told& told, std::span<const int> ranks) {
  const auto all = static_cast<std::size_t>(told.comm.size());
  if (ranks.size() == 1) return fmt::format("rank {}", ranks[0]);
  if (ranks.size() == all) return fmt::format("all {} ranks", all);
  if (ranks.size() == 2) return fmt::format("ranks {} and {}", ranks[0], ranks[1]);
  return fmt::format("{} of {} ranks", ranks.size(), all);
}

// "sample 3", "2 samples: 17, 3", "64 samples: 17, 3, ..".
std::string samples_text(const Told& told, const ShardGradient& shard) {
  if (shard.samples.empty()) return "none";
  if (shard.samples.size() == 1) return fmt::format("sample {}", told.record.samples[shard.samples.begin]);
  std::string text = fmt::format("{} samples:", shard.samples.size());
  for (std::size_t i = shard.samples.begin; i < shard.samples.end; ++i) {
    const bool last = i + 1 == shard.samples.end;
    const std::string next = fmt::format(" {}{}", told.record.samples[i], last ? "" : ",");
    if (text.size() + next.size() + (last ? 0 : 3) > kSamplesText) return text + " ..";
    text += next;
  }
  return text;
}

void print_head(const Told& told) {
  const Communicator& comm = told.comm;
  tell("Step {} (epoch {}) of {}\n", told.result.step, told.epoch, told.name);
  if (told.beyond_end) tell("The run has ended: this is the step that would follow.\n");
  tell("{} in {}, {}{}, exchange {}{}\n", count_text(told.result.samples, "sample"),
       count_text(told.record.shards.size(), "shard"), count_text(comm.size(), "rank"),
       comm.nodes() > 1 ? fmt::format(" on {} hosts", comm.nodes()) : "", told.exchange().name(),
       comm.nodes() == 1 || told.run().train.wire == "float32" ? "" : ", wire " + told.run().train.wire);
  tell("Weight {} = {}\n\n", told.weight, told.record.before);
}

void print_shards(const Told& told) {
  std::vector<std::size_t> shown(told.record.shards.size());
  for (std::size_t shard = 0; shard < shown.size(); ++shard) shown[shard] = shard;
  if (shown.size() > kMostRows) {
    const auto size = [&](std::size_t shard) { return -std::abs(told.record.shards[shard].gradient); };
    std::ranges::stable_sort(shown, {}, size);
    shown.resize(kLargest);
    tell("The {} shards with the largest gradients; --json has all {}:\n", kLargest, told.record.shards.size());
  }
  tell("{:<7}{:<6}{:<{}}{:<16}{}\n", "shard", "rank", "samples", kSamplesText + 2, "sum of losses", "gradient of it");
  for (const std::size_t index : shown) {
    const ShardGradient& shard = told.record.shards[index];
    tell("{:<7}{:<6}{:<{}}{:<16.8g}{}\n", shard.shard, told.rank_of(index), samples_text(told, shard), kSamplesText + 2,
         shard.loss, float_text(shard.gradient));
  }
}

// Who makes the additions that the lines stand for.
void print_legend(const Told& told) {
  const auto reaches = [&](Reach reach) {
    return std::ranges::any_of(told.tree, [&](const DrawnNode& node) { return node.reach == reach; });
  };
  const std::string_view name = told.exchange().name();
  const bool host = reaches(Reach::host);
  const bool hosts = reaches(Reach::hosts);
  if (!host && !hosts) return;
  const bool inner = std::ranges::any_of(
      told.tree, [](const DrawnNode& drawn) { return drawn.reach == Reach::rank && drawn.node.shards.size() > 1; });
  if (inner) tell("─ a rank adds the shards that it has computed\n");
  if (name == "allreduce") {
    tell("{} MPI_Allreduce adds the ranks' sums, in an order of its own\n", host && hosts ? "━ ═" : host ? "━" : "═");
  } else if (name == "tree") {
    tell("{} every rank gets the ranks' sums, and adds them\n", host && hosts ? "━ ═" : host ? "━" : "═");
  } else {
    if (host) tell("━ sums of ranks of a host: read in the memory that they share, and added\n");
    if (hosts) tell("═ sums of hosts: sent to where the weight is updated, and added there\n");
  }
}

void print_tree(const Told& told) {
  tell_lines("\nThe tree, which depends on the number of shards alone:\n" + draw_shard_tree(told.tree));
  print_legend(told);
}

void print_sum(const Told& told) {
  const StepRecord& record = told.record;
  const WeightUpdate& update = record.updates.front();
  const std::string ranks = ranks_text(told, updating_ranks(told));
  const std::string label = fmt::format("Sum of {}", count_text(record.shards.size(), "shard"));
  if (used_the_root(told)) {
    tell("\n{:<18}{:<16}{}, the bits that {} got\n", label, float_text(told.root()), bits_text(update.sum), ranks);
  } else {
    const double off = static_cast<double>(update.sum) - static_cast<double>(told.root());
    tell("\n{:<18}{:<16}in the order of the tree, in float32\n", label, float_text(told.root()));
    tell("{:<18}{:<16}{:.3g} {}: {}\n", "The sum in use", float_text(update.sum), std::abs(off),
         off < 0 ? "less" : "more",
         told.exchange().name() == "allreduce" ? "added in an order of MPI's own" : "bfloat16 between hosts");
    tell("{:34}{}, the bits that {} got\n", "", bits_text(update.sum), ranks);
  }
  const bool plain = update.step.divisor == static_cast<double>(told.result.samples);
  tell("{:<18}{:<16}of the mean loss: / {}\n", "Gradient", float_text(update.sum * update.step.scale()),
       plain ? count_text(told.result.samples, "sample") : fmt::format("{:.8g}, their weight", update.step.divisor));
  if (update.step.clip < 1) {
    tell("{:34}* {} to clip the norm {:.6g} to {}\n", "", float_text(update.step.clip),
         told.result.gradient_norm.value_or(0), told.run().optimizer.clip_norm);
  }
  const std::string where =
      told.comm.size() == 1 ? "" : fmt::format(", the same bits on all {} ranks", told.comm.size());
  tell("{:<18}{}\n{:<18}{:<16}by {}, learning rate {:.6g}\n", "Weight before", float_text(record.before),
       "Weight after", float_text(record.after[0]), told.run().optimizer.type, told.result.learning_rate);
  tell("{:34}{}{}\n", "", bits_text(record.after[0]), where);
}

void print_text(const Told& told) {
  print_head(told);
  print_shards(told);
  print_tree(told);
  if (told.record.updates.empty()) {
    tell("\nThe step is left out, and changes nothing: {}\n", told.result.skipped);
    return;
  }
  print_sum(told);
}

}  // namespace

int explain_ranks(const CommandInput& input, Subject& subject) {
  const Communicator& comm = *input.comm;
  PreparedRun& prepared = subject.prepared;
  Engine& engine = *prepared.engine;
  WeightPlace place;
  comm.together([&] { place = weight_to_follow(input, engine.model()); });

  Position at = engine.info.position;
  if (at.position >= prepared.epoch.samples)
    at = {.step = at.step, .epoch = at.epoch + 1};  // saved before the scores of its epoch
  Told told{comm, engine, subject.name, weight_name(engine.model().parameters(), place), at.epoch + 1};
  told.beyond_end = prepared.steering->finished(at);
  RunConfig run = prepared.run;
  run.train.epochs = static_cast<std::int64_t>(at.epoch + 1);  // nothing is read ahead of more
  const std::unique_ptr<EpochBatch> batches = make_epoch_batch(comm, prepared.data, prepared.epoch, run);
  batches->start_epoch(at.epoch);
  batches->select(at.position / prepared.epoch.batch);
  told.result = record_step(engine, *batches, place.element, told.record);
  comm.at_root([&] {
    add_tree(told);
    check(told);
    if (input.options.count("json") != 0) {
      tell_lines(json_text(to_json(told)) + "\n");
    } else {
      print_text(told);
    }
  });
  return 0;
}

}  // namespace lockstep::cli
