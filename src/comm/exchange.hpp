// How the ranks combine their shards' gradients and share the weights.
//
// An exchange owns the arenas (weights, optimizer slots, gradients), because where they lie is half of how it works.
// It sees flat arrays, fixed blocks and shards; it knows no layers. A step, on every rank:
//
//   for each shard of shard_order(): write gradient(), gradient_ready() for parts that are complete; shard_done()
//     (in several rounds where the net has several stages: the last elements of all shards first)
//   collect(shard_values)                    all gradients and all ranks' values are there
//   visit(visitor)                           the visitor gets each owned block with its gradient sum
//   [gather_blocks(norms); visit(visitor)]   as often as the update needs norms first
//   publish(notes)                           the updated weights are under way to every rank
//   await_weights(range)                     these weights are there
//
// A step that is to change nothing leaves out the visits.
//
// tree_exchange.cpp is the plain one that is right by reading: keep it so, it is the oracle of the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/shard_sums.hpp"
#include "core/buffer.hpp"
#include "core/function_ref.hpp"
#include "core/parameters.hpp"
#include "core/sums.hpp"

namespace lockstep {

/// What travels between hosts.
enum class Wire { float32, bfloat16 };

/// What an exchange has to hold and move.
struct ExchangeLayout {
  std::size_t elements = 0;        ///< floats of one arena
  std::vector<Block> blocks = {};  ///< fixed blocks, in arena order; what is in none is neither added nor updated
  std::size_t slots = 0;           ///< optimizer state arrays
  std::size_t shards = 1;
  Range owned_shards = {};  ///< this rank's
  bool revisits = false;    ///< whether visit() will be called more than once a step
  Wire wire = Wire::float32;
  bool overlap = true;           ///< whether data moves between hosts while the ranks compute
  std::size_t shard_values = 1;  ///< numbers that each shard brings to collect()
};

/// Where the time of a rank went that it waited [s].
struct StepWaits {
  double ranks = 0;  ///< for ranks of this host
  double hosts = 0;  ///< for data of other hosts
};

/// What an exchange comes to, told before there is one.
struct ExchangePlan {
  std::size_t own_bytes = 0;             ///< of the arenas that this rank has to itself
  std::size_t shared_bytes = 0;          ///< of those that the ranks of this host have together
  std::size_t ranks = 1;                 ///< of this host
  std::size_t room_bytes = 0;            ///< of what rank 0 needs to gather slot arrays, see Exchange::slot_room
  std::string_view bits_depend_on = "";  ///< of the weights, besides the run; empty: nothing
  /// Whether each copy of the weights has the optimizer's state too, so that slot() serves any block.
  bool copies_have_slots = true;
  /// Bytes that go between hosts in a step, over 2 (H-1)/H of the gradient's bytes for each of H hosts, as floats; 0 on
  /// one host, and where it is not known.
  double traffic = 0;

  /// Bytes of the arenas of this rank; of those that the ranks of a host share, its part.
  [[nodiscard]] std::size_t bytes() const noexcept { return own_bytes + shared_bytes / ranks; }
};

/// Room for slot arrays, see gather_slots.
using SlotRoom = std::vector<Buffer<float>>;

class Exchange {
 public:
  /// A block's index and its gradient, the sum over all shards.
  using BlockVisitor = FunctionRef<void(std::size_t block, const PairSum& gradient)>;

  explicit Exchange(const ExchangePlan& plan) : plan_(plan) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  virtual ~Exchange() = default;

  /// The name in the run file.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  [[nodiscard]] const ExchangePlan& plan() const noexcept { return plan_; }
  [[nodiscard]] std::string_view bits_depend_on() const noexcept { return plan_.bits_depend_on; }
  [[nodiscard]] bool same_bits_at_any_rank_count() const noexcept { return bits_depend_on().empty(); }
  [[nodiscard]] bool copies_have_slots() const noexcept { return plan_.copies_have_slots; }

  /// The weights [elements]: the same on every rank after publish(), once await_weights() has been called for them.
  [[nodiscard]] virtual std::span<float> weights() noexcept = 0;
  /// Waits until the weights of `elements` are those that were published last. Collective: all ranks come as often.
  virtual void await_weights(Range /*elements*/) {}
  /// The part of optimizer state array `slot` that belongs to `block`, which this rank must own.
  [[nodiscard]] virtual std::span<float> slot(std::size_t slot, std::size_t block) noexcept = 0;
  /// Rank 0 has filled weights(): makes them those of every rank. Collective.
  virtual void spread_weights() = 0;
  /// `slots` [slots][elements] on rank 0 becomes the optimizer's state; not looked at elsewhere. Collective.
  virtual void spread_slots(std::span<const std::span<const float>> slots) = 0;
  /// What gather_slots needs; empty but on rank 0. Local. Errors: std::bad_alloc.
  [[nodiscard]] virtual SlotRoom slot_room() const { return {}; }
  /// On rank 0, the whole of all optimizer state [slots][elements], which lies here or in `room`. Collective.
  [[nodiscard]] virtual std::vector<std::span<const float>> gather_slots(SlotRoom& room) = 0;
  /// Whether this rank updates `block`.
  [[nodiscard]] virtual bool owns(std::size_t block) const noexcept = 0;

  /// The shards that this rank computes, in this order.
  [[nodiscard]] virtual std::span<const std::size_t> shard_order() const noexcept = 0;
  /// Where the gradient of the next of them is to be written [elements].
  [[nodiscard]] virtual std::span<float> gradient() = 0;
  /// Elements `range` of gradient() are complete; ranges come from the arena's end to its beginning. May start to move
  /// them.
  virtual void gradient_ready(Range /*range*/) {}
  /// gradient() is complete from element `from` on. Where that is not 0, all shards of shard_order() come with the
  /// elements before it in a further round, when all have come with these.
  virtual void shard_done(std::size_t from = 0) = 0;

  /// Ends the gradients of a step. `shard_values` [shards, layout's shard_values]: this rank has filled those of its
  /// shards; afterwards every rank has all. Collective. Every owned shard must be done.
  virtual void collect(std::span<double> shard_values) = 0;
  /// Calls `visitor` for each owned block with the sum over the shards collected last. Local; more than once a step
  /// only where the layout announces it.
  virtual void visit(BlockVisitor visitor) = 0;
  /// `values` [blocks]: this rank has filled those of its blocks; afterwards every rank has all. Collective.
  virtual void gather_blocks(std::span<double> values) = 0;
  /// The owned blocks of weights() are updated: gives them to every rank, see await_weights(). Returns the bits that
  /// the ranks brought, or-ed. Collective.
  virtual std::uint32_t publish(std::uint32_t notes) = 0;

  /// The first of this rank's shards whose gradient of this step is not finite, as far as it can be told from a sum of
  /// several. Local; between shard_done() and the next step, and only where the layout announces no second visit.
  [[nodiscard]] virtual std::optional<std::size_t> not_finite_shard() const = 0;
  /// How many copies of the weights the job holds, and whether one is this rank's to look after.
  [[nodiscard]] virtual int copies() const noexcept = 0;
  [[nodiscard]] virtual bool holds_copy() const noexcept = 0;

  /// Time waited since the last call; 0 where that cannot be told from the rest.
  [[nodiscard]] virtual StepWaits take_waits() noexcept { return {}; }
  /// Bytes of the arenas that it holds, as ExchangePlan::bytes.
  [[nodiscard]] virtual std::size_t bytes() const noexcept = 0;

 private:
  const ExchangePlan plan_;
};

/// What make_exchange would make. Takes no memory for arrays. `layout` lacks its blocks, of which there are
/// `num_blocks`: a large net has millions, so `blocks` is asked for them only where hosts are several.
/// Collective. Errors: config, agreed (unknown name; what the exchange cannot do here), comm.
[[nodiscard]] ExchangePlan plan_exchange(std::string_view name, const Communicator& comm, const ExchangeLayout& layout,
                                         std::size_t num_blocks, FunctionRef<std::vector<Block>()> blocks);

/// Makes the exchange that the run file names. `comm` must outlive it.
/// Collective. Errors: config (unknown name; what the exchange cannot do here), comm.
[[nodiscard]] std::unique_ptr<Exchange> make_exchange(std::string_view name, const Communicator& comm,
                                                      const ExchangeLayout& layout);

// One a file: what it would come to, and it. Collective.
[[nodiscard]] ExchangePlan plan_one_host_exchange(const Communicator& comm, const ExchangeLayout& layout,
                                                  std::size_t num_blocks);
[[nodiscard]] ExchangePlan plan_hosts_exchange(const Communicator& comm, const ExchangeLayout& layout);
[[nodiscard]] ExchangePlan plan_replicated_exchange(const ExchangeLayout& layout);
[[nodiscard]] std::unique_ptr<Exchange> make_one_host_exchange(const Communicator& comm, const ExchangeLayout& layout,
                                                               const ExchangePlan& plan);
[[nodiscard]] std::unique_ptr<Exchange> make_hosts_exchange(const Communicator& comm, const ExchangeLayout& layout,
                                                            const ExchangePlan& plan);
[[nodiscard]] std::unique_ptr<Exchange> make_tree_exchange(const Communicator& comm, const ExchangeLayout& layout,
                                                           const ExchangePlan& plan);
[[nodiscard]] std::unique_ptr<Exchange> make_allreduce_exchange(const Communicator& comm, const ExchangeLayout& layout,
                                                                const ExchangePlan& plan);

/// The first shard of every rank, and the number of shards behind them: [ranks + 1]. Collective.
[[nodiscard]] std::vector<std::size_t> shard_starts(const Communicator& comm, const ExchangeLayout& layout);

}  // namespace lockstep
