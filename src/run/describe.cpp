#include "run/describe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "comm/cores.hpp"
#include "compute/probe.hpp"
#include "core/byte_size.hpp"
#include "core/number_text.hpp"
#include "core/vector_math.hpp"
#include "data/open_dataset.hpp"
#include "data/sample_weights.hpp"
#include "data/window_reader.hpp"
#include "score/evaluation.hpp"
#include "score/scoring.hpp"

namespace lockstep {

std::vector<std::string> describe_run(const EnginePlan& plan, const RunData& data, const EpochPlan& epoch,
                                      std::uint64_t total_steps) {
  const Model& model = plan.parts.model;
  const Communicator& comm = plan.comm;
  std::vector<std::string> texts = {
      fmt::format("{}: {}, {}, {}; {} training{} and {} test samples", plan.run.name,
                  count_text(model.inputs(), "input"), count_text(model.outputs(), "output"),
                  count_text(model.parameters().count(), "parameter"), data.train_samples(),
                  data.split.validation.empty() ? "" : fmt::format(", {} validation", data.split.validation.size()),
                  data.test ? data.test->samples() : 0),
      fmt::format("{} on {} on {}; batches of {}, {} an epoch, {}; exchange {}",
                  count_text(plan.shards.shards, "shard"), count_text(comm.size(), "rank"),
                  count_text(comm.nodes(), "host"), count_text(epoch.batch, "sample"), epoch.batches(),
                  count_text(total_steps, "step"), plan.run.train.exchange)};
  if (data.train.w.rows > 0) {
    const WeightTotals weights = weigh_samples(data.train, data.split.train);
    texts.push_back(fmt::format("training samples have weights, {:.6g} to {:.6g}, {:.6g} in all", weights.least,
                                weights.largest, weights.sum()));
  }
  return texts;
}

namespace {

// That a rank's windows take, on the rank with the most shards, and what HDF5 unpacks chunks to.
std::size_t stream_bytes(const EnginePlan& plan, const RunData& data) {
  constexpr std::size_t kMostCache = std::size_t{32} << 20U;  // of io/hdf5_rows.cpp
  const ShardPlan& shards = plan.shards;
  std::size_t chunks = 0;
  for (const TableReader* table : tables_of(*data.train.file))
    chunks += std::min(table->header().chunk_bytes, kMostCache);
  return window_bytes(*data.stream, (shards.shards + shards.ranks - 1) / shards.ranks, stream_row_bytes(data)) + chunks;
}

}  // namespace

std::size_t stream_row_bytes(const RunData& data) {
  return row_bytes_of(*data.train.file);
}

std::string describe_stream(const EnginePlan& plan, const RunData& data) {
  if (!data.stream) return "";
  const StreamPlan& stream = *data.stream;
  return fmt::format(
      "streams {:.1f} MB of training data: {} of {}, dealt to the shards anew each epoch and shuffled in windows of "
      "{}; {:.1f} MB a rank",
      megabytes(bytes_of(*data.train.file)), count_text(stream.blocks(), "block"),
      count_text(stream.shape().block, "sample"),
      count_text(std::min(stream.window_blocks(), stream.blocks()), "block"), megabytes(stream_bytes(plan, data)));
}

std::size_t scoring_bytes(const EnginePlan& plan, const RunData& data, const ScoreWishes& wishes) {
  const Model& model = plan.parts.model;
  const std::size_t ordering = plan.comm.is_root() ? ordering_bytes(wishes, data, model.outputs()) : 0;
  return scores_splits(plan.run, data) ? model.workspace_bytes(kEvaluationBlock, false) + ordering : 0;
}

// Data lies once a host. So does what the exchange shares, of which bytes() counts a rank's share.
std::string describe_memory(const EnginePlan& plan, const RunData& data, const ScoreWishes& wishes) {
  const auto mb = megabytes;
  const Communicator& comm = plan.comm;
  const std::size_t order =  // of an epoch, and what it is made of; or windows
      data.stream
          ? stream_bytes(plan, data)
          : (data.train_samples() + data.split.train.size() + data.split.validation.size()) * sizeof(std::uint32_t);
  const std::size_t held = data.train.bytes() + (data.test ? data.test->bytes() : 0);
  const std::size_t rank = plan.bytes() + order;
  const auto ranks = static_cast<std::size_t>(comm.max(comm.node_size()));  // of the fullest host
  return fmt::format(
      "memory: {:.1f} MB a rank ({:.1f} MB of it activations), {:.1f} MB a host with {} ({:.1f} MB of it data, held "
      "once); {:.1f} MB more on rank 0 while a checkpoint is written, {:.1f} MB more a rank while scores are taken",
      mb(rank), mb(plan.activation_bytes()), mb(rank * ranks + held), count_text(ranks, "rank"), mb(held),
      mb(plan.saving_bytes()), mb(scoring_bytes(plan, data, wishes)));
}

std::vector<std::string> exchange_notices(const EnginePlan& plan) {
  constexpr double kWorthTelling = 1.02;
  std::vector<std::string> notices;
  const ExchangePlan& exchange = plan.exchange;
  const TrainConfig& train = plan.run.train;
  if (const std::string_view what = exchange.bits_depend_on; !what.empty()) {
    notices.push_back(fmt::format(
        "{}: the bits of this run depend on {}",
        train.exchange == "node" ? "train.wire = \"bfloat16\"" : fmt::format("train.exchange = \"{}\"", train.exchange),
        what));
  }
  const double least = train.wire == "bfloat16" ? 0.5 : 1;
  if (const double factor = exchange.traffic / least; factor > kWorthTelling) {
    notices.push_back(fmt::format(
        "the hosts exchange {:.2f} times the bytes that they need to: their shards are not whole subtrees of "
        "the sum over {}; best is a power of two of shards for each of a power of two of hosts",
        factor, count_text(plan.shards.shards, "shard")));
  }
  return notices;
}

std::vector<std::string> machine_warnings(const Communicator& comm, const Compute& compute) {
  const std::vector<RankCores> cores = gather_cores(comm);
  std::vector<std::string> warnings = core_warnings(cores, static_cast<std::size_t>(compute.threads()));
  std::string machine;
  Probe probe;
  comm.together([&] {
    machine = machine_code(compute.kernel(), simd_target());
    probe = probe_kernels(compute);
  });
  const std::vector<std::string> machines = comm.by_launch_rank(comm.gather_texts(machine));
  const std::vector<std::string> probes = comm.by_launch_rank(comm.gather_texts(probe_text(probe)));
  std::vector<ProbedRank> ranks;
  for (std::size_t rank = 0; rank < cores.size(); ++rank) {
    ranks.push_back({.host = cores[rank].host, .machine = machines[rank], .probe = parse_probe(probes[rank])});
  }
  if (std::string unlike = unlike_ranks(ranks); !unlike.empty()) warnings.push_back(std::move(unlike));
  return warnings;
}

}  // namespace lockstep
