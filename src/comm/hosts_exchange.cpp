#include "comm/hosts_exchange.hpp"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "comm/patience.hpp"
#include "core/bfloat16.hpp"

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;

// Buckets under way at once: MPI looks at all of them whenever it is called.
constexpr std::size_t kMostInFlight = 128;

}  // namespace

// The buckets come from the arena's beginning to its end.
void HostsExchange::await_weights(Range elements) {
  const Waiting waiting(pulse_);
  std::size_t needed = 0;
  while (needed < cluster_.buckets.size() &&
         elements_of(layout_.blocks, returning(needed).blocks()).begin < elements.end)
    ++needed;
  advance();
  await_landed(needed);
}

void HostsExchange::gradient_ready(Range range) {
  if (!layout_.overlap || !own_sums().is_last()) return;
  own_sums().add_from(range.begin);
  announce(range.begin);
  advance();
}

void HostsExchange::shard_done(std::size_t from) {
  const bool last = own_sums().is_last();
  own_sums().push(from);
  if (last) announce(from);
}

void HostsExchange::collect(std::span<double> shard_values) {
  const std::span<double> shared = memory_.shard_values();
  memory_.put_shard_values(shard_values);
  memory_.progress(memory_.place()).steps.store(++steps_, std::memory_order_release);
  const Waiting waiting(pulse_);
  await([&] { return all_have_come(); }, rank_seconds_);
  if (link_.leads()) start_share(shared, shards_packing_);  // behind the gradients
  await([&] { return all_reduced() && link_.shared(); }, host_seconds_);
  if (link_.leads()) end_share(shared, shards_packing_);
  meet();
  std::ranges::copy(shared, shard_values.begin());
  own_sums().reset();
  visited_ = false;
  ready_before_ += cluster_.buckets.size();
  announced_ = 0;
  returned_ = 0;
  if (rounds_) link_.reset();
}

void HostsExchange::visit(BlockVisitor visitor) {
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

void HostsExchange::gather_blocks(std::span<double> values) {
  const std::span<double> shared = memory_.next_block_values();
  for (std::size_t block = 0; block < values.size(); ++block) {
    if (owned_[block]) shared[block] = values[block];
  }
  const Waiting waiting(pulse_);
  meet();
  if (!rounds_) {  // else every host has made all of them
    if (link_.leads()) start_share(shared, blocks_packing_);
    await([&] { return link_.shared(); }, host_seconds_);
    if (link_.leads()) end_share(shared, blocks_packing_);
    meet();
  }
  std::ranges::copy(shared, values.begin());
}

// The notes go first: whoever has them needs no weights yet.
std::uint32_t HostsExchange::publish(std::uint32_t notes) {
  const Waiting waiting(pulse_);
  await_landed(cluster_.buckets.size());  // of the step before: whoever has used the weights has waited for them
  notes = meet(notes);
  std::atomic<std::uint32_t>& of_all = memory_.next_notes();
  if (link_.leads()) {
    notes_[host_] = notes;
    link_.start_share(std::as_writable_bytes(std::span(notes_)), notes_starts_);
  }
  if (!rounds_) {
    if (returning_) landed_before_ += cluster_.buckets.size();
    returning_ = true;
    link_.reset();
  }
  await([&] { return link_.shared(); }, host_seconds_);
  if (!layout_.overlap) await_landed(cluster_.buckets.size());
  if (link_.leads()) {
    for (const std::uint32_t note : notes_) notes |= note;
    of_all.store(notes, std::memory_order_relaxed);
  }
  meet();
  return of_all.load(std::memory_order_relaxed);
}

std::uint32_t HostsExchange::meet(std::uint32_t notes) {
  const auto move_on = [this] { poll(); };
  const FunctionRef<void()> idle(move_on);
  return memory_.meet(notes, &idle);
}

void HostsExchange::announce(std::size_t begin) noexcept {
  while (announced_ < cluster_.buckets.size() &&
         elements_of(layout_.blocks, cluster_.buckets[announced_].blocks()).begin >= begin)
    ++announced_;
  memory_.progress(memory_.place()).ready.store(ready_before_ + announced_, std::memory_order_release);
}

void HostsExchange::advance() {
  std::uint64_t ready = ready_before_ + cluster_.buckets.size();
  for (std::size_t place = 0; place < memory_.ranks(); ++place) {
    ready = std::min(ready, memory_.progress(place).ready.load(std::memory_order_acquire));
  }
  while (ready_before_ + link_.reducing() < ready && link_.reducing() - link_.reduced() < kMostInFlight) {
    fill(link_.reducing());
    link_.start_reduce();
    link_.poll();
  }
  poll();
}

void HostsExchange::poll() {
  link_.poll();
  if (rounds_) {
    while (returned_ < link_.reduced()) round_and_return(returned_++);
  } else if (returning_) {
    const std::size_t all = cluster_.buckets.size();
    while (link_.gathering() < all && link_.gathering() - link_.gathered() < kMostInFlight) {
      link_.start_gather(all - 1 - link_.gathering(), memory_.weights().data());
    }
    memory_.progress(memory_.place()).landed.store(landed_before_ + link_.gathered(), std::memory_order_release);
  }
}

bool HostsExchange::all_have_come() const noexcept {
  for (std::size_t place = 0; place < memory_.ranks(); ++place) {
    if (memory_.progress(place).steps.load(std::memory_order_acquire) < steps_) return false;
  }
  return true;
}

void HostsExchange::await_landed(std::size_t buckets) {
  if (!returning_) return;
  const auto landed = [&] {
    for (std::size_t place = 0; place < memory_.ranks(); ++place) {
      if (memory_.progress(place).landed.load(std::memory_order_acquire) < landed_before_ + buckets) return false;
    }
    return true;
  };
  if (!landed()) await(landed, host_seconds_);
}

void HostsExchange::start_share(std::span<const double> values, const Packing& packing) {
  for (std::size_t i = packing.starts[host_]; i < packing.starts[host_ + 1]; ++i) shared_[i] = values[packing.items[i]];
  share_starts_.clear();
  for (const std::size_t start : packing.starts) share_starts_.push_back(start * sizeof(double));
  link_.start_share(std::as_writable_bytes(std::span(shared_)), share_starts_);
}

void HostsExchange::end_share(std::span<double> values, const Packing& packing) const {
  for (std::size_t i = 0; i < packing.items.size(); ++i) values[packing.items[i]] = shared_[i];
}

void HostsExchange::await(FunctionRef<bool()> done, double& seconds) {
  const auto start = Clock::now();
  for (advance(); !done(); advance()) {
    if (pulse_.patience != nullptr) pulse_.patience->look();
    sched_yield();
  }
  seconds += std::chrono::duration<double>(Clock::now() - start).count();
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
  link_.start_gather(bucket, memory_.halves().data());
}

}  // namespace lockstep
