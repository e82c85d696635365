// A step's matrix products with nothing between them: what bench calls the floor, and doctor the speed of a rank.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "compute/compute.hpp"
#include "compute/product.hpp"
#include "core/buffer.hpp"

namespace lockstep {

/// Buffers lie as those of a net: what one product makes, the next one of that size reads.
class BareProducts {
 public:
  /// `products` in the order of the forward pass; `shard_rows`: samples of each shard, at least one shard.
  BareProducts(std::shared_ptr<const Compute> compute, std::span<const Product> products,
               std::vector<std::size_t> shard_rows);

  /// Of a run().
  [[nodiscard]] double flops() const noexcept { return flops_; }
  /// All products of all shards: forward, then the gradients, last product first. Allocates nothing.
  void run();

 private:
  struct Operands {
    Product product;
    std::size_t x = 0;  // places in values_ and gradients_
    std::size_t y = 0;
    Buffer<float> weight, weight_gradient;
  };

  std::shared_ptr<const Compute> compute_;
  std::vector<std::size_t> shard_rows_;
  std::vector<Operands> operands_;
  std::vector<Buffer<float>> values_, gradients_;
  double flops_ = 0;
};

}  // namespace lockstep
