// One set of weights a host, every weight updated once in the whole job, the bits of the tree; for jobs on several
// hosts.
//
// On a host it is as in node_exchange.cpp. Between hosts, the ranks of one lane exchange what their hosts have added
// up: a rank sends the partial sums of its host's shards for the slices of the other hosts' lanes, adds what it gets
// for its own slice in the order of the tree, updates the slice, and gives the new weights to the other hosts. A bucket
// goes on its way as soon as all ranks of a host have its gradients, and comes back while the next forward pass runs: a
// layer waits for its own weights alone.
//
// With bfloat16 on the wire the rounded sums come back in the place of weights, and every host updates all of its
// weights with the same sums.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "comm/cluster.hpp"
#include "comm/exchange.hpp"
#include "comm/host_link.hpp"
#include "comm/node_memory.hpp"
#include "comm/tree_adder.hpp"
#include "core/tree.hpp"

namespace lockstep {

class HostsExchange final : public Exchange {
 public:
  HostsExchange(const Communicator& comm, const ExchangeLayout& layout, const ExchangePlan& plan, Cluster cluster);
  HostsExchange(const HostsExchange&) = delete;
  HostsExchange& operator=(const HostsExchange&) = delete;
  ~HostsExchange() override;

  [[nodiscard]] std::string_view name() const noexcept override { return "node"; }
  [[nodiscard]] std::span<float> weights() noexcept override { return memory_.weights(); }

  void await_weights(Range elements) override;

  [[nodiscard]] std::span<float> slot(std::size_t slot, std::size_t block) noexcept override {
    return memory_.slot(slot).subspan(slot_offsets_[block], layout_.blocks[block].range.size());
  }
  void spread_weights() override;
  void spread_slots(std::span<const std::span<const float>> slots) override;
  [[nodiscard]] SlotRoom slot_room() const override;
  [[nodiscard]] std::vector<std::span<const float>> gather_slots(SlotRoom& room) override;

  [[nodiscard]] bool owns(std::size_t block) const noexcept override { return owned_[block]; }
  [[nodiscard]] std::span<const std::size_t> shard_order() const noexcept override {
    return memory_.own_sums().order();
  }
  [[nodiscard]] std::span<float> gradient() override { return own_sums().next(); }

  void gradient_ready(Range range) override;

  void shard_done(std::size_t from) override;

  void collect(std::span<double> shard_values) override;

  void visit(BlockVisitor visitor) override;

  void gather_blocks(std::span<double> values) override;

  std::uint32_t publish(std::uint32_t notes) override;

  [[nodiscard]] std::optional<std::size_t> not_finite_shard() const override { return memory_.own_sums().not_finite(); }
  [[nodiscard]] int copies() const noexcept override { return static_cast<int>(cluster_.placement.hosts()); }
  [[nodiscard]] bool holds_copy() const noexcept override { return link_.leads(); }
  [[nodiscard]] StepWaits take_waits() noexcept override {
    return {.ranks = memory_.take_wait_seconds() + std::exchange(rank_seconds_, 0.0),
            .hosts = std::exchange(host_seconds_, 0.0)};
  }
  [[nodiscard]] std::size_t bytes() const noexcept override {
    return memory_.bytes() / memory_.ranks() + link_.bytes();
  }

 private:
  // What the final sum is made of: this host's ranks' partial sums, and those that other hosts send.
  struct Source {
    Range node;
    std::size_t host = 0;
    std::size_t index = 0;  // of the host's, or of this host's ranks'
  };

  [[nodiscard]] std::vector<std::size_t> place_slots() const;
  [[nodiscard]] std::vector<TreeProgram> make_host_programs();
  [[nodiscard]] std::vector<Range> sort_sources();
  [[nodiscard]] std::size_t depth() const noexcept;

  [[nodiscard]] ShardSums& own_sums() noexcept { return memory_.sums(memory_.place()); }
  [[nodiscard]] Range own_blocks(const Bucket& bucket) const noexcept {
    return {bucket.starts[link_.slice(host_, link_.lanes().begin)],
            bucket.starts[link_.slice(host_, link_.lanes().end)]};
  }
  // Where every host updates all blocks: those of this rank.
  [[nodiscard]] Range local_blocks() const noexcept {
    return {local_starts_[memory_.place()], local_starts_[memory_.place() + 1]};
  }
  // The i-th bucket to come back.
  [[nodiscard]] const Bucket& returning(std::size_t i) const noexcept {
    return cluster_.buckets[cluster_.buckets.size() - 1 - i];
  }

  // Tells the ranks of this host how far this rank's gradients are complete.
  void announce(std::size_t begin) noexcept;

  // Starts what can be started and moves on what is under way.
  void advance();

  void poll();

  // Moves on until `done`; adds the time to `seconds`.
  void await(FunctionRef<bool()> done, double& seconds);
  // Waits for the other ranks of the host, in the caller's Waiting: whose scopes must be as many on all ranks, and none
  // may end while another rank of the host still waits for a host.
  std::uint32_t meet(std::uint32_t notes = 0);

  [[nodiscard]] bool all_reduced() const noexcept {
    return link_.reduced() == cluster_.buckets.size() && (!rounds_ || link_.gathered() == cluster_.buckets.size());
  }

  [[nodiscard]] bool all_have_come() const noexcept;

  // Until all lanes of this host have brought that many of the buckets of weights that are under way.
  void await_landed(std::size_t buckets);

  void fill(std::size_t bucket);
  [[nodiscard]] PairSum add_up(std::size_t bucket, std::size_t lane, std::size_t block);
  void visit_block(std::size_t bucket, std::size_t lane, std::size_t block, bool again, BlockVisitor visitor);
  void visit_rounded(BlockVisitor visitor);
  void round_and_return(std::size_t bucket);

  [[nodiscard]] std::vector<std::span<float>> slot_parts(std::span<float> packed) const;
  void each_slot_run(FunctionRef<void(std::size_t host, std::size_t at, Range elements)> run) const;

  // For leaders: gives the host's values to the other hosts, and takes theirs.
  void start_share(std::span<const double> values, const Packing& packing);
  void end_share(std::span<double> values, const Packing& packing) const;

  const ExchangeLayout layout_;
  const bool rounds_;  // bfloat16 on the wire
  Pulse& pulse_;
  const Cluster cluster_;
  std::size_t host_;
  Packing shards_packing_;
  Packing blocks_packing_;
  std::vector<std::size_t> slot_offsets_;  // [blocks] where a block of this host lies in its slots
  std::vector<bool> owned_;                // [blocks]
  NodeMemory memory_;
  HostLink link_;                            // goes before the memory that it fills
  std::vector<std::size_t> program_starts_;  // [this host's nodes] the first of them
  std::vector<TreeProgram> host_programs_;   // [this host's nodes], over its ranks' partial sums
  std::vector<Source> sources_;
  TreeProgram program_;
  TreeAdder adder_;
  Buffer<float> block_room_;               // [1 + sources][block]
  std::vector<std::size_t> local_starts_;  // [ranks of the host + 1]
  std::vector<double> shared_;             // of the leader, packed
  std::vector<std::size_t> share_starts_;  // [hosts + 1], in bytes
  std::vector<std::uint32_t> notes_;       // [hosts]
  std::vector<std::size_t> notes_starts_;  // [hosts + 1], in bytes
  std::uint64_t steps_ = 0;                // collected so far
  std::uint64_t ready_before_ = 0;         // buckets of gradients of the steps before
  std::uint64_t landed_before_ = 0;        // buckets of weights of the steps before
  std::size_t announced_ = 0;              // buckets of this step that this rank has told of
  std::size_t returned_ = 0;               // buckets of this step whose rounded sums have been sent
  bool visited_ = false;                   // since the last collect
  bool returning_ = false;                 // weights come back to other hosts, or have come
  double rank_seconds_ = 0;                // waited for ranks of this host
  double host_seconds_ = 0;                // and for other hosts
};

}  // namespace lockstep
