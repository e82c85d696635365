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
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "comm/exchange.hpp"
#include "comm/host_link.hpp"
#include "comm/node_memory.hpp"
#include "comm/placement.hpp"
#include "comm/tree_adder.hpp"
#include "core/bfloat16.hpp"
#include "core/tree.hpp"

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;

// Where everything is; the same on every rank.
struct Cluster {
  std::vector<std::size_t> shard_starts;  // [ranks + 1]
  Placement placement;
  std::vector<Bucket> buckets;
  std::vector<std::vector<Range>> nodes;  // [hosts] of the tree, whose sums each host sends

  Cluster(const Communicator& comm, const ExchangeLayout& layout)
      : shard_starts(lockstep::shard_starts(comm, layout)),
        placement(comm.hosts_of_ranks()),
        buckets(make_buckets(layout.blocks, placement.hosts() * placement.lanes())) {
    for (std::size_t host = 0; host < placement.hosts(); ++host) {
      nodes.push_back(placement.nodes_of(host, shard_starts));
    }
  }

  [[nodiscard]] Range owned_shards(std::size_t rank) const { return {shard_starts[rank], shard_starts[rank + 1]}; }
  // The slices of all lanes of `host`, which lie side by side.
  [[nodiscard]] Range blocks_of(const Bucket& bucket, std::size_t host) const {
    const std::size_t lanes = placement.lanes();
    return {bucket.starts[host * lanes], bucket.starts[(host + 1) * lanes]};
  }
  [[nodiscard]] std::vector<std::size_t> partial_sums() const {
    std::vector<std::size_t> counts;
    for (const std::vector<Range>& of_host : nodes) counts.push_back(of_host.size());
    return counts;
  }
};

// Values of which each host has some, in packed form: an array in parts, one a host.
struct Packing {
  std::vector<std::size_t> items;   // of host 0, then of host 1, ...
  std::vector<std::size_t> starts;  // [hosts + 1]
  void end_host() { starts.push_back(items.size()); }
};

Packing pack_shards(const Cluster& cluster) {
  Packing packing{{}, {0}};
  for (std::size_t host = 0; host < cluster.placement.hosts(); ++host) {
    for (const std::size_t rank : cluster.placement.ranks(host)) {
      const Range owned = cluster.owned_shards(rank);
      for (std::size_t shard = owned.begin; shard < owned.end; ++shard) packing.items.push_back(shard);
    }
    packing.end_host();
  }
  return packing;
}

Packing pack_blocks(const Cluster& cluster) {
  Packing packing{{}, {0}};
  for (std::size_t host = 0; host < cluster.placement.hosts(); ++host) {
    for (const Bucket& bucket : cluster.buckets) {
      const Range blocks = cluster.blocks_of(bucket, host);
      for (std::size_t block = blocks.begin; block < blocks.end; ++block) packing.items.push_back(block);
    }
    packing.end_host();
  }
  return packing;
}

class HostsExchange final : public Exchange {
 public:
  HostsExchange(const Communicator& comm, const ExchangeLayout& layout, Cluster cluster)
      : layout_(layout),
        rounds_(layout.wire == Wire::bfloat16),
        pulse_(comm.pulse()),
        cluster_(std::move(cluster)),
        host_(cluster_.placement.host_of(static_cast<std::size_t>(comm.rank()))),
        shards_packing_(pack_shards(cluster_)),
        blocks_packing_(pack_blocks(cluster_)),
        slot_offsets_(layout.blocks.size(), 0),
        owned_(layout.blocks.size(), false),
        memory_(comm, layout, memory_size()),
        link_(comm, cluster_.placement, layout_.blocks, cluster_.buckets, cluster_.partial_sums(), layout.wire),
        host_programs_(make_host_programs()),
        program_(layout.shards, sort_sources()),
        adder_(depth()),
        block_room_(kBlockElements * (1 + sources_.size())) {
    local_starts_ = deal_blocks(layout_.blocks, {0, layout_.blocks.size()}, memory_.ranks());
    shared_.resize(std::max(shards_packing_.items.size(), blocks_packing_.items.size()));
    notes_.resize(cluster_.placement.hosts());
    for (std::size_t host = 0; host <= notes_.size(); ++host) notes_starts_.push_back(host * sizeof(std::uint32_t));
    for (const Bucket& bucket : cluster_.buckets) {
      const Range own = own_blocks(bucket);
      for (std::size_t block = own.begin; block < own.end; ++block) owned_[block] = true;
    }
    for (std::size_t block = 0; rounds_ && block < owned_.size(); ++block)
      owned_[block] = local_blocks().contains(block);
  }
  HostsExchange(const HostsExchange&) = delete;
  HostsExchange& operator=(const HostsExchange&) = delete;
  ~HostsExchange() override = default;

  [[nodiscard]] std::string_view name() const noexcept override { return "node"; }
  [[nodiscard]] std::string_view bits_depend_on() const noexcept override {
    return rounds_ ? "which host has which shards" : "";
  }
  [[nodiscard]] std::span<float> weights() noexcept override { return memory_.weights(); }

  // The buckets come from the arena's beginning to its end.
  void await_weights(Range elements) override {
    const Waiting waiting(pulse_);
    std::size_t needed = 0;
    while (needed < cluster_.buckets.size() &&
           elements_of(layout_.blocks, returning(needed).blocks()).begin < elements.end)
      ++needed;
    await_landed(needed);
  }

  [[nodiscard]] std::span<float> slot(std::size_t slot, std::size_t block) noexcept override {
    return memory_.slot(slot).subspan(slot_offsets_[block], layout_.blocks[block].range.size());
  }
  void spread_weights() override;
  void spread_slots(std::span<const std::span<const float>> slots) override;
  [[nodiscard]] std::vector<std::span<const float>> gather_slots(SlotRoom& room) override;

  [[nodiscard]] bool owns(std::size_t block) const noexcept override { return owned_[block]; }
  [[nodiscard]] std::span<const std::size_t> shard_order() const noexcept override {
    return memory_.own_sums().order();
  }
  [[nodiscard]] std::span<float> gradient() override { return own_sums().next(); }

  void gradient_ready(Range range) override {
    if (!layout_.overlap || !own_sums().is_last()) return;
    own_sums().add_from(range.begin);
    announce(range.begin);
    advance();
  }

  void shard_done() override {
    const bool last = own_sums().is_last();
    own_sums().push();
    if (last) announce(0);
  }

  void collect(std::span<double> shard_values) override {
    const std::span<double> shared = memory_.shard_values();
    for (const std::size_t shard : shard_order()) shared[shard] = shard_values[shard];
    memory_.progress(memory_.place()).steps.store(++steps_, std::memory_order_release);
    {
      // The leader sends the values when all ranks of the host have come, behind the gradients.
      bool to_share = link_.leads();
      const Waiting waiting(pulse_);
      await([&] {
        if (to_share && all_have_come()) {
          start_share(shared, shards_packing_);
          to_share = false;
        }
        return all_reduced() && !to_share && link_.shared();
      });
    }
    if (link_.leads()) end_share(shared, shards_packing_);
    memory_.wait();
    std::ranges::copy(shared, shard_values.begin());
    own_sums().reset();
    visited_ = false;
    ready_before_ += cluster_.buckets.size();
    announced_ = 0;
    returned_ = 0;
    if (rounds_) link_.reset();
  }

  void visit(BlockVisitor visitor) override {
    const bool again = std::exchange(visited_, true);
    if (rounds_) {
      visit_rounded(visitor);
      return;
    }
    for (std::size_t bucket = 0; bucket < cluster_.buckets.size(); ++bucket) {
      for (std::size_t lane = link_.lanes().begin; lane < link_.lanes().end; ++lane) {
        const Range blocks = cluster_.buckets[bucket].blocks(link_.slice(host_, lane));
        for (std::size_t block = blocks.begin; block < blocks.end; ++block)
          visit_block(bucket, lane, block, again, visitor);
      }
    }
  }

  void gather_blocks(std::span<double> values) override {
    const std::span<double> shared = memory_.next_block_values();
    for (std::size_t block = 0; block < values.size(); ++block) {
      if (owned_[block]) shared[block] = values[block];
    }
    memory_.wait();
    if (!rounds_) {  // else every host has made all of them
      if (link_.leads()) start_share(shared, blocks_packing_);
      {
        const Waiting waiting(pulse_);
        await([&] { return link_.shared(); });
      }
      if (link_.leads()) end_share(shared, blocks_packing_);
      memory_.wait();
    }
    std::ranges::copy(shared, values.begin());
  }

  // The notes go first: whoever has them needs no weights yet.
  std::uint32_t publish(std::uint32_t notes) override {
    notes = memory_.wait(notes);
    std::atomic<std::uint32_t>& of_all = memory_.next_notes();
    if (link_.leads()) {
      notes_[host_] = notes;
      link_.start_share(std::as_writable_bytes(std::span(notes_)), notes_starts_);
    }
    if (!rounds_) {
      landed_before_ += link_.gathering();
      link_.reset();
      for (std::size_t i = 0; i < cluster_.buckets.size(); ++i) {
        link_.start_gather(cluster_.buckets.size() - 1 - i, memory_.weights().data(), MPI_FLOAT);
      }
    }
    {
      const Waiting waiting(pulse_);
      await([&] { return link_.shared(); });
      if (!layout_.overlap) await_landed(cluster_.buckets.size());
    }
    if (link_.leads()) {
      for (const std::uint32_t note : notes_) notes |= note;
      of_all.store(notes, std::memory_order_relaxed);
    }
    memory_.wait();
    return of_all.load(std::memory_order_relaxed);
  }

  [[nodiscard]] std::optional<std::size_t> not_finite_shard() const override { return memory_.own_sums().not_finite(); }
  [[nodiscard]] int copies() const noexcept override { return static_cast<int>(cluster_.placement.hosts()); }
  [[nodiscard]] bool holds_copy() const noexcept override { return link_.leads(); }
  [[nodiscard]] bool copies_have_slots() const noexcept override { return rounds_; }
  [[nodiscard]] StepWaits take_waits() noexcept override {
    return {memory_.take_wait_seconds(), std::exchange(host_seconds_, 0.0)};
  }
  [[nodiscard]] double traffic() const noexcept override;
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

  [[nodiscard]] NodeMemorySize memory_size();
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
  void announce(std::size_t begin) noexcept {
    while (announced_ < cluster_.buckets.size() &&
           elements_of(layout_.blocks, cluster_.buckets[announced_].blocks()).begin >= begin)
      ++announced_;
    memory_.progress(memory_.place()).ready.store(ready_before_ + announced_, std::memory_order_release);
  }

  // Starts what can be started and moves on what is under way.
  void advance() {
    std::uint64_t ready = ready_before_ + cluster_.buckets.size();
    for (std::size_t place = 0; place < memory_.ranks(); ++place) {
      ready = std::min(ready, memory_.progress(place).ready.load(std::memory_order_acquire));
    }
    while (ready_before_ + link_.reducing() < ready) {
      fill(link_.reducing());
      link_.start_reduce();
      link_.poll();
    }
    poll();
  }

  void poll() {
    link_.poll();
    if (rounds_) {
      while (returned_ < link_.reduced()) round_and_return(returned_++);
    } else {
      memory_.progress(memory_.place()).landed.store(landed_before_ + link_.gathered(), std::memory_order_release);
    }
  }

  template <class Done>
  void await(Done done) {
    const auto start = Clock::now();
    for (advance(); !done(); advance()) sched_yield();
    host_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
  }

  [[nodiscard]] bool all_reduced() const noexcept {
    return link_.reduced() == cluster_.buckets.size() && (!rounds_ || link_.gathered() == cluster_.buckets.size());
  }

  [[nodiscard]] bool all_have_come() const noexcept {
    for (std::size_t place = 0; place < memory_.ranks(); ++place) {
      if (memory_.progress(place).steps.load(std::memory_order_acquire) < steps_) return false;
    }
    return true;
  }

  // Until all lanes of this host have brought that many of the buckets of weights that are under way.
  void await_landed(std::size_t buckets) {
    if (rounds_ || link_.gathering() == 0) return;
    const auto landed = [&] {
      for (std::size_t place = 0; place < memory_.ranks(); ++place) {
        if (memory_.progress(place).landed.load(std::memory_order_acquire) < landed_before_ + buckets) return false;
      }
      return true;
    };
    if (!landed()) await(landed);
  }

  void fill(std::size_t bucket);
  [[nodiscard]] PairSum add_up(std::size_t bucket, std::size_t lane, std::size_t block);
  void visit_block(std::size_t bucket, std::size_t lane, std::size_t block, bool again, BlockVisitor visitor);
  void visit_rounded(BlockVisitor visitor);
  void round_and_return(std::size_t bucket);

  struct SlotParts {
    std::vector<Buffer<float>> memory;  // [hosts]
    std::vector<std::span<float>> views;
  };
  [[nodiscard]] SlotParts slot_parts() const;
  void each_slot_run(FunctionRef<void(std::size_t host, std::size_t at, Range elements)> run) const;

  void start_share(std::span<const double> values, const Packing& packing) {
    for (std::size_t i = packing.starts[host_]; i < packing.starts[host_ + 1]; ++i)
      shared_[i] = values[packing.items[i]];
    share_starts_.clear();
    for (const std::size_t start : packing.starts) share_starts_.push_back(start * sizeof(double));
    link_.start_share(std::as_writable_bytes(std::span(shared_)), share_starts_);
  }
  void end_share(std::span<double> values, const Packing& packing) const {
    for (std::size_t i = 0; i < packing.items.size(); ++i) values[packing.items[i]] = shared_[i];
  }

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
  double host_seconds_ = 0;
};

NodeMemorySize HostsExchange::memory_size() {
  NodeMemorySize size;
  for (const std::size_t rank : cluster_.placement.ranks(host_))
    size.owned_shards.push_back(cluster_.owned_shards(rank));
  if (rounds_) {
    size.slot_elements = layout_.elements;
    size.halves = layout_.elements;
    for (std::size_t block = 0; block < slot_offsets_.size(); ++block)
      slot_offsets_[block] = layout_.blocks[block].range.begin;
    return size;
  }
  for (const Bucket& bucket : cluster_.buckets) {
    const Range blocks = cluster_.blocks_of(bucket, host_);
    const Range elements = elements_of(layout_.blocks, blocks);
    for (std::size_t block = blocks.begin; block < blocks.end; ++block) {
      slot_offsets_[block] = size.slot_elements + layout_.blocks[block].range.begin - elements.begin;
    }
    size.slot_elements += elements.size();
  }
  return size;
}

std::vector<TreeProgram> HostsExchange::make_host_programs() {
  std::vector<TreeProgram> programs;
  const std::span<const Range> of_ranks = memory_.nodes();
  std::size_t next = 0;
  for (const Range node : cluster_.nodes[host_]) {
    const std::size_t first = next;
    while (next < of_ranks.size() && of_ranks[next].end <= node.end) ++next;
    program_starts_.push_back(first);
    programs.emplace_back(node, of_ranks.subspan(first, next - first));
  }
  return programs;
}

std::vector<Range> HostsExchange::sort_sources() {
  for (std::size_t i = 0; i < memory_.nodes().size(); ++i) sources_.push_back({memory_.nodes()[i], host_, i});
  for (std::size_t host = 0; host < cluster_.nodes.size(); ++host) {
    if (host == host_) continue;
    for (std::size_t i = 0; i < cluster_.nodes[host].size(); ++i)
      sources_.push_back({cluster_.nodes[host][i], host, i});
  }
  std::ranges::sort(sources_, {}, [](const Source& source) { return source.node.begin; });
  std::vector<Range> nodes;
  for (const Source& source : sources_) nodes.push_back(source.node);
  return nodes;
}

std::size_t HostsExchange::depth() const noexcept {
  std::size_t depth = program_.depth();
  for (const TreeProgram& program : host_programs_) depth = std::max(depth, program.depth());
  return depth;
}

// Puts this host's partial sums of a bucket where they are sent from.
void HostsExchange::fill(std::size_t bucket) {
  const auto add_up_host = [&](std::size_t node, Range range) {
    const auto part = [&](std::size_t i) {
      return memory_.part(program_starts_[node] + i).subspan(range.begin, range.size());
    };
    return adder_.add_up(host_programs_[node], range.size(), part);
  };
  for (std::size_t lane = link_.lanes().begin; lane < link_.lanes().end; ++lane) {
    for (std::size_t host = 0; host < cluster_.placement.hosts(); ++host) {
      if (host == host_) continue;
      const Range blocks = cluster_.buckets[bucket].blocks(link_.slice(host, lane));
      const std::size_t first = elements_of(layout_.blocks, blocks).begin;
      for (std::size_t node = 0; node < host_programs_.size(); ++node) {
        for (std::size_t block = blocks.begin; block < blocks.end; ++block) {
          const Range range = layout_.blocks[block].range;
          const PairSum sum = add_up_host(node, range);
          if (rounds_) {
            const std::span<float> room = block_room_.view().first(range.size());
            sum.write_to(room);
            to_bfloat16(
                room,
                link_.outgoing<std::uint16_t>(bucket, lane, host, node).subspan(range.begin - first, range.size()));
          } else {
            sum.write_to(link_.outgoing<float>(bucket, lane, host, node).subspan(range.begin - first, range.size()));
          }
        }
      }
    }
  }
}

// A block of the sum over all shards, but for the last addition.
PairSum HostsExchange::add_up(std::size_t bucket, std::size_t lane, std::size_t block) {
  const Range range = layout_.blocks[block].range;
  const Range slice = cluster_.buckets[bucket].blocks(link_.slice(host_, lane));
  const std::size_t offset = range.begin - elements_of(layout_.blocks, slice).begin;
  const auto part = [&](std::size_t i) -> std::span<const float> {
    const Source& source = sources_[i];
    if (source.host == host_) return memory_.part(source.index).subspan(range.begin, range.size());
    if (!rounds_) return link_.incoming<float>(bucket, lane, source.host, source.index).subspan(offset, range.size());
    const std::span<float> room = block_room_.view().subspan((1 + i) * kBlockElements, range.size());
    from_bfloat16(link_.incoming<std::uint16_t>(bucket, lane, source.host, source.index).subspan(offset, range.size()),
                  room);
    return room;
  };
  return adder_.add_up(program_, range.size(), part);
}

void HostsExchange::visit_block(std::size_t bucket, std::size_t lane, std::size_t block, bool again,
                                BlockVisitor visitor) {
  if (!layout_.revisits) {
    visitor(block, add_up(bucket, lane, block));
    return;
  }
  // The sum stays in this rank's first buffer: nobody else reads these elements of it.
  const Range range = layout_.blocks[block].range;
  const std::span<float> whole = memory_.own_gradient().subspan(range.begin, range.size());
  if (!again) add_up(bucket, lane, block).write_to(whole);
  visitor(block, std::span<const float>(whole));
}

void HostsExchange::visit_rounded(BlockVisitor visitor) {
  for (std::size_t block = local_blocks().begin; block < local_blocks().end; ++block) {
    const Range range = layout_.blocks[block].range;
    const std::span<float> room = block_room_.view().first(range.size());
    from_bfloat16(memory_.halves().subspan(range.begin, range.size()), room);
    visitor(block, std::span<const float>(room));
  }
}

// This host's slices of the sum go to all hosts, itself too, as the wire has them.
void HostsExchange::round_and_return(std::size_t bucket) {
  for (std::size_t lane = link_.lanes().begin; lane < link_.lanes().end; ++lane) {
    const Range blocks = cluster_.buckets[bucket].blocks(link_.slice(host_, lane));
    for (std::size_t block = blocks.begin; block < blocks.end; ++block) {
      const Range range = layout_.blocks[block].range;
      const std::span<float> room = block_room_.view().first(range.size());
      add_up(bucket, lane, block).write_to(room);
      to_bfloat16(room, memory_.halves().subspan(range.begin, range.size()));
    }
  }
  link_.start_gather(bucket, memory_.halves().data(), MPI_UINT16_T);
}

void HostsExchange::spread_weights() {
  {
    const Waiting waiting(pulse_);
    if (link_.leads()) link_.broadcast(memory_.weights());
  }
  memory_.wait();
}

// Between hosts a slot array is in the form in which each host holds its part.
void HostsExchange::spread_slots(std::span<const std::span<const float>> slots) {
  {
    const Waiting waiting(pulse_);
    for (std::size_t slot = 0; slot < layout_.slots && link_.leads(); ++slot) {
      if (rounds_) {
        if (host_ == 0) std::ranges::copy(slots[slot], memory_.slot(slot).begin());
        link_.broadcast(memory_.slot(slot));
        continue;
      }
      SlotParts parts = slot_parts();
      if (host_ == 0)
        each_slot_run([&](std::size_t host, std::size_t at, Range elements) {
          std::ranges::copy(slots[slot].subspan(elements.begin, elements.size()),
                            parts.views[host].subspan(at).begin());
        });
      link_.scatter_from_first(memory_.slot(slot), parts.views);
    }
  }
  memory_.wait();
}

std::vector<std::span<const float>> HostsExchange::gather_slots(SlotRoom& room) {
  std::vector<std::span<const float>> whole;
  const Waiting waiting(pulse_);
  for (std::size_t slot = 0; slot < layout_.slots && link_.leads(); ++slot) {
    if (rounds_) {
      whole.emplace_back(memory_.slot(slot));
      continue;
    }
    SlotParts parts = slot_parts();
    link_.gather_at_first(memory_.slot(slot), parts.views);
    if (host_ != 0) continue;
    const std::span<float> all = room.emplace_back(layout_.elements).view();
    each_slot_run([&](std::size_t host, std::size_t at, Range elements) {
      std::ranges::copy(parts.views[host].subspan(at, elements.size()), all.subspan(elements.begin).begin());
    });
    whole.emplace_back(all);
  }
  return whole;
}

// On rank 0: room for what each host has of a slot array.
HostsExchange::SlotParts HostsExchange::slot_parts() const {
  SlotParts parts;
  if (host_ != 0) return parts;
  std::vector<std::size_t> sizes(cluster_.placement.hosts(), 0);
  each_slot_run([&](std::size_t host, std::size_t at, Range elements) { sizes[host] = at + elements.size(); });
  for (const std::size_t size : sizes) parts.views.push_back(parts.memory.emplace_back(size).view());
  return parts;
}

void HostsExchange::each_slot_run(FunctionRef<void(std::size_t host, std::size_t at, Range elements)> run) const {
  for (std::size_t host = 0; host < cluster_.placement.hosts(); ++host) {
    std::size_t at = 0;
    for (const Bucket& bucket : cluster_.buckets) {
      const Range elements = elements_of(layout_.blocks, cluster_.blocks_of(bucket, host));
      if (!elements.empty()) run(host, at, elements);
      at += elements.size();
    }
  }
}

double HostsExchange::traffic() const noexcept {
  double sums = 0;      // elements that go out as partial sums
  double returned = 0;  // and those that come back
  const auto hosts = static_cast<double>(cluster_.placement.hosts());
  for (const Bucket& bucket : cluster_.buckets) {
    const auto all = static_cast<double>(elements_of(layout_.blocks, bucket.blocks()).size());
    for (std::size_t host = 0; host < cluster_.nodes.size(); ++host) {
      const auto own = static_cast<double>(elements_of(layout_.blocks, cluster_.blocks_of(bucket, host)).size());
      sums += static_cast<double>(cluster_.nodes[host].size()) * (all - own);
      returned += own * (hosts - 1);
    }
  }
  const double width = rounds_ ? 0.5 : 1;
  return width * (sums + returned) / (2 * (hosts - 1) * static_cast<double>(layout_.elements));
}

}  // namespace

std::unique_ptr<Exchange> make_hosts_exchange(const Communicator& comm, const ExchangeLayout& layout) {
  return std::make_unique<HostsExchange>(comm, layout, Cluster(comm, layout));
}

}  // namespace lockstep
