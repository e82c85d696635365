// Making a HostsExchange, and its state as a whole: weights and optimizer state to and from rank 0.
#include <algorithm>
#include <utility>

#include "comm/hosts_exchange.hpp"
#include "comm/patience.hpp"

namespace lockstep {
namespace {

bool rounds(const ExchangeLayout& layout) {
  return layout.wire == Wire::bfloat16;
}

// What a rank of `host` shares with the others there.
NodeMemorySize memory_size(const Cluster& cluster, const ExchangeLayout& layout, std::size_t host) {
  NodeMemorySize size;
  for (const std::size_t rank : cluster.placement.ranks(host)) size.owned_shards.push_back(cluster.owned_shards(rank));
  size.blocks = layout.blocks.size();
  size.halves = rounds(layout) ? layout.elements : 0;
  if (rounds(layout)) {
    size.slot_elements = layout.elements;
    return size;
  }
  for (const Bucket& bucket : cluster.buckets)
    size.slot_elements += elements_of(layout.blocks, cluster.blocks_of(bucket, host)).size();
  return size;
}

// Slot arrays that rank 0 needs room for to gather them, one of them for what has come and is still packed.
std::size_t arrays_to_gather(const ExchangeLayout& layout) {
  return rounds(layout) || layout.slots == 0 ? 0 : layout.slots + 1;
}

double traffic(const Cluster& cluster, const ExchangeLayout& layout) {
  double gradient = 0;  // elements of it
  double sums = 0;      // those that go out as partial sums
  double returned = 0;  // and those that come back
  const auto hosts = static_cast<double>(cluster.placement.hosts());
  for (const Bucket& bucket : cluster.buckets) {
    const auto all = static_cast<double>(elements_of(layout.blocks, bucket.blocks()).size());
    gradient += all;
    for (std::size_t host = 0; host < cluster.nodes.size(); ++host) {
      const auto own = static_cast<double>(elements_of(layout.blocks, cluster.blocks_of(bucket, host)).size());
      sums += static_cast<double>(cluster.nodes[host].size()) * (all - own);
      returned += own * (hosts - 1);
    }
  }
  const double width = rounds(layout) ? 0.5 : 1;
  return width * (sums + returned) / (2 * (hosts - 1) * gradient);
}

}  // namespace

HostsExchange::HostsExchange(const Communicator& comm, const ExchangeLayout& layout, const ExchangePlan& plan,
                             Cluster cluster)
    : Exchange(plan),
      layout_(layout),
      rounds_(rounds(layout)),
      pulse_(comm.pulse()),
      cluster_(std::move(cluster)),
      host_(cluster_.placement.host_of(static_cast<std::size_t>(comm.rank()))),
      shards_packing_(pack_shards(cluster_, layout.shard_values)),
      blocks_packing_(pack_blocks(cluster_)),
      slot_offsets_(place_slots()),
      owned_(layout.blocks.size(), false),
      memory_(comm, layout, memory_size(cluster_, layout, host_)),
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
  for (std::size_t block = 0; rounds_ && block < owned_.size(); ++block) owned_[block] = local_blocks().contains(block);
}

HostsExchange::~HostsExchange() {
  if (!gave_up(pulse_)) return;
  static_cast<void>(new auto(std::move(shared_)));  // MPI may still write to them
  static_cast<void>(new auto(std::move(notes_)));
}

// A host's slots hold its slices of all buckets, one behind the other; with bfloat16, all there is.
std::vector<std::size_t> HostsExchange::place_slots() const {
  std::vector<std::size_t> offsets(layout_.blocks.size(), 0);
  for (std::size_t block = 0; rounds_ && block < offsets.size(); ++block)
    offsets[block] = layout_.blocks[block].range.begin;
  if (rounds_) return offsets;
  std::size_t at = 0;
  for (const Bucket& bucket : cluster_.buckets) {
    const Range blocks = cluster_.blocks_of(bucket, host_);
    const Range elements = elements_of(layout_.blocks, blocks);
    for (std::size_t block = blocks.begin; block < blocks.end; ++block)
      offsets[block] = at + layout_.blocks[block].range.begin - elements.begin;
    at += elements.size();
  }
  return offsets;
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

void HostsExchange::spread_weights() {
  const Waiting waiting(pulse_);
  if (link_.leads()) link_.broadcast(memory_.weights());
  meet();
}

// Between hosts a slot array is in the form in which each host holds its part.
void HostsExchange::spread_slots(std::span<const std::span<const float>> slots) {
  const Waiting waiting(pulse_);
  Buffer<float> packed(host_ == 0 ? layout_.elements : 0);
  for (std::size_t slot = 0; slot < layout_.slots && link_.leads(); ++slot) {
    if (rounds_) {
      if (host_ == 0) std::ranges::copy(slots[slot], memory_.slot(slot).begin());
      link_.broadcast(memory_.slot(slot));
      continue;
    }
    const std::vector<std::span<float>> parts = slot_parts(packed.view());
    if (host_ == 0) {
      each_slot_run([&](std::size_t host, std::size_t at, Range elements) {
        std::ranges::copy(slots[slot].subspan(elements.begin, elements.size()), parts[host].subspan(at).begin());
      });
    }
    link_.scatter_from_first(memory_.slot(slot), parts);
  }
  meet();
}

SlotRoom HostsExchange::slot_room() const {
  SlotRoom room;
  if (host_ != 0 || !link_.leads()) return room;
  for (std::size_t array = 0; array < arrays_to_gather(layout_); ++array) room.emplace_back(layout_.elements);
  return room;
}

std::vector<std::span<const float>> HostsExchange::gather_slots(SlotRoom& room) {
  const Waiting waiting(pulse_);
  std::vector<std::span<const float>> whole;
  for (std::size_t slot = 0; slot < layout_.slots && link_.leads(); ++slot) {
    if (rounds_) {
      whole.emplace_back(memory_.slot(slot));
      continue;
    }
    const std::vector<std::span<float>> parts = slot_parts(host_ == 0 ? room.back().view() : std::span<float>());
    link_.gather_at_first(memory_.slot(slot), parts);
    if (host_ != 0) continue;
    each_slot_run([&](std::size_t host, std::size_t at, Range elements) {
      std::ranges::copy(parts[host].subspan(at, elements.size()), room[slot].view().subspan(elements.begin).begin());
    });
    whole.emplace_back(room[slot].view());
  }
  meet();
  return whole;
}

// On rank 0: where in `packed` [elements] the part of each host is. The parts leave out padding between blocks of two
// hosts alone, so they fit.
std::vector<std::span<float>> HostsExchange::slot_parts(std::span<float> packed) const {
  std::vector<std::span<float>> parts;
  if (host_ != 0) return parts;
  std::vector<std::size_t> sizes(cluster_.placement.hosts(), 0);
  each_slot_run([&](std::size_t host, std::size_t at, Range elements) { sizes[host] = at + elements.size(); });
  for (std::size_t host = 0, begin = 0; host < sizes.size(); begin += sizes[host++]) {
    parts.push_back(packed.subspan(begin, sizes[host]));
  }
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

ExchangePlan plan_hosts_exchange(const Communicator& comm, const ExchangeLayout& layout) {
  const Cluster cluster(comm, layout);
  const std::size_t host = cluster.placement.host_of(static_cast<std::size_t>(comm.rank()));
  const auto place = static_cast<std::size_t>(comm.node_rank());
  return {.own_bytes = HostLink::bytes_needed(cluster.placement, layout.blocks, cluster.buckets, cluster.partial_sums(),
                                              layout.wire, host, place),
          .shared_bytes = NodeMemory::bytes_needed(layout, memory_size(cluster, layout, host)),
          .ranks = static_cast<std::size_t>(comm.node_size()),
          .room_bytes = arrays_to_gather(layout) * layout.elements * sizeof(float),
          .bits_depend_on = rounds(layout) ? "which host has which shards" : "",
          .copies_have_slots = rounds(layout),
          .traffic = traffic(cluster, layout)};
}

std::unique_ptr<Exchange> make_hosts_exchange(const Communicator& comm, const ExchangeLayout& layout,
                                              const ExchangePlan& plan) {
  return std::make_unique<HostsExchange>(comm, layout, plan, Cluster(comm, layout));
}

}  // namespace lockstep
