// How the ranks combine their shards' gradients and share the weights.
//
// An exchange owns the arenas (weights, optimizer slots, gradients), because where they lie is half of how it works.
// It sees flat arrays, fixed blocks and shards; it knows no layers. A step, on every rank:
//
//   for each shard of shard_order(): write gradient(), gradient_ready() for parts that are complete; shard_done()
//   collect(shard_values)                    all gradients and all ranks' values are there
//   visit(visitor)                           the visitor gets each owned block with its gradient sum
//   [gather_blocks(norms); visit(visitor)]   as often as the update needs norms first
//   publish(notes)                           the updated weights are the same on every rank
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

/// What an exchange has to hold and move.
struct ExchangeLayout {
  std::size_t elements = 0;        ///< floats of one arena
  std::vector<Block> blocks = {};  ///< fixed blocks, in arena order
  std::size_t slots = 0;           ///< optimizer state arrays
  std::size_t shards = 1;
  Range owned_shards = {};  ///< this rank's
  bool revisits = false;    ///< whether visit() will be called more than once a step
};

class Exchange {
 public:
  /// A block's index and its gradient, the sum over all shards.
  using BlockVisitor = FunctionRef<void(std::size_t block, const PairSum& gradient)>;

  virtual ~Exchange() = default;

  /// The name in the run file.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// Whether the weights are the same bits at any rank count.
  [[nodiscard]] virtual bool same_bits_at_any_rank_count() const noexcept = 0;

  /// The weights [elements]: the same on every rank after publish().
  [[nodiscard]] virtual std::span<float> weights() noexcept = 0;
  /// Optimizer state array `slot` [elements]; a rank may count on the parts of its own blocks only.
  [[nodiscard]] virtual std::span<float> slot(std::size_t slot) noexcept = 0;
  /// Rank 0 has filled weights() and all slots: makes them those of every rank. Collective.
  virtual void spread_from_root() = 0;
  /// The blocks this rank updates: a run of block indices.
  [[nodiscard]] virtual Range owned_blocks() const noexcept = 0;

  /// The shards that this rank computes, in this order.
  [[nodiscard]] virtual std::span<const std::size_t> shard_order() const noexcept = 0;
  /// Where the gradient of the next of them is to be written [elements].
  [[nodiscard]] virtual std::span<float> gradient() = 0;
  /// Elements `range` of gradient() are complete. May start to move them.
  virtual void gradient_ready(Range /*range*/) {}
  /// gradient() is complete.
  virtual void shard_done() = 0;

  /// Ends the gradients of a step. `shard_values` [shards]: this rank has filled those of its shards; afterwards every
  /// rank has all. Collective. Every owned shard must be done.
  virtual void collect(std::span<double> shard_values) = 0;
  /// Calls `visitor` for each owned block with the sum over the shards collected last. Local; more than once a step
  /// only where the layout announces it.
  virtual void visit(BlockVisitor visitor) = 0;
  /// `values` [blocks]: this rank has filled those of its blocks; afterwards every rank has all. Collective.
  virtual void gather_blocks(std::span<double> values) = 0;
  /// The owned blocks of weights() are updated: makes them visible to every rank. Returns the bits that the ranks
  /// brought, or-ed. Collective.
  virtual std::uint32_t publish(std::uint32_t notes) = 0;

  /// The first of this rank's shards whose gradient of this step is not finite, as far as it can be told from a sum of
  /// several. Local; between shard_done() and the next step, and only where the layout announces no second visit.
  [[nodiscard]] virtual std::optional<std::size_t> not_finite_shard() const = 0;
  /// How many copies of the weights the job holds, and whether one is this rank's to look after.
  [[nodiscard]] virtual int copies() const noexcept = 0;
  [[nodiscard]] virtual bool holds_copy() const noexcept = 0;

  /// Seconds that this rank has waited for others since the last call; 0 where that cannot be told from the rest.
  [[nodiscard]] virtual double take_wait_seconds() noexcept { return 0; }

  /// Bytes of the arenas that this rank holds; of those that the ranks of a host share, its part.
  [[nodiscard]] virtual std::size_t bytes() const noexcept = 0;
};

/// Makes the exchange that the run file names. `comm` must outlive it.
/// Collective. Errors: config (unknown name; what the exchange cannot do here), comm.
[[nodiscard]] std::unique_ptr<Exchange> make_exchange(std::string_view name, const Communicator& comm,
                                                      const ExchangeLayout& layout);

// One a file.
[[nodiscard]] std::unique_ptr<Exchange> make_node_exchange(const Communicator& comm, const ExchangeLayout& layout);
[[nodiscard]] std::unique_ptr<Exchange> make_tree_exchange(const Communicator& comm, const ExchangeLayout& layout);
[[nodiscard]] std::unique_ptr<Exchange> make_allreduce_exchange(const Communicator& comm, const ExchangeLayout& layout);

/// The first shard of every rank, and the number of shards behind them: [ranks + 1]. Collective.
[[nodiscard]] std::vector<std::size_t> shard_starts(const Communicator& comm, const ExchangeLayout& layout);

}  // namespace lockstep
