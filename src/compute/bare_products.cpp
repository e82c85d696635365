#include "compute/bare_products.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lockstep {
namespace {

Buffer<float> filled(std::size_t size, float value) {
  Buffer<float> buffer(size);
  std::ranges::fill(buffer.view(), value);
  return buffer;
}

}  // namespace

BareProducts::BareProducts(std::shared_ptr<const Compute> compute, std::span<const Product> products,
                           std::vector<std::size_t> shard_rows)
    : compute_(std::move(compute)), shard_rows_(std::move(shard_rows)) {
  const std::size_t most = *std::ranges::max_element(shard_rows_);
  const auto new_place = [&](std::size_t size) {
    values_.push_back(filled(size, 0.5F));
    gradients_.push_back(filled(size, 0.5F));
    return values_.size() - 1;
  };
  double samples = 0;
  for (const std::size_t rows : shard_rows_) samples += static_cast<double>(rows);
  for (const Product& product : products) {
    const std::size_t size = most * product.rows * product.in;
    const bool follows = !values_.empty() && values_.back().size() == size;
    const std::size_t x = follows ? values_.size() - 1 : new_place(size);
    const std::size_t y = new_place(most * product.rows * product.out);
    operands_.push_back(
        {product, x, y, filled(product.out * product.in, 0.01F), Buffer<float>(product.out * product.in)});
    const double passes = 1.0 + (product.needs_dw ? 1.0 : 0.0) + (product.needs_dx ? 1.0 : 0.0);
    flops_ += passes * 2 * samples * static_cast<double>(product.rows) * static_cast<double>(product.in) *
              static_cast<double>(product.out);
  }
}

void BareProducts::run() {
  const Compute& compute = *compute_;
  for (const std::size_t samples : shard_rows_) {
    for (const Operands& o : operands_) {
      const auto [rows, out, in] = std::array{samples * o.product.rows, o.product.out, o.product.in};
      compute.gemm({rows, out, in}, Transpose::no, values_[o.x].view().first(rows * in), Transpose::yes,
                   o.weight.view(), 0.0F, values_[o.y].view().first(rows * out));
    }
    for (std::size_t i = operands_.size(); i-- > 0;) {
      Operands& o = operands_[i];
      const auto [rows, out, in] = std::array{samples * o.product.rows, o.product.out, o.product.in};
      const auto dy = gradients_[o.y].view().first(rows * out);
      if (o.product.needs_dw) {
        compute.gemm({out, in, rows}, Transpose::yes, dy, Transpose::no, values_[o.x].view().first(rows * in), 0.0F,
                     o.weight_gradient.view());
      }
      if (o.product.needs_dx) {
        compute.gemm({rows, in, out}, Transpose::no, dy, Transpose::no, o.weight.view(), 0.0F,
                     gradients_[o.x].view().first(rows * in));
      }
    }
  }
}

}  // namespace lockstep
