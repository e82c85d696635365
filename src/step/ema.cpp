// The moving average of the weights: a slot behind those of the optimizer, which the owner of a block moves with it.
#include "optim/ema.hpp"

#include <algorithm>

#include "step/engine.hpp"

namespace lockstep {

std::span<float> Engine::ema_of(std::size_t block) {
  return exchange_->slot(optimizer_->slots().size(), block);
}

void Engine::start_slots() {
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    if (!exchange_->owns(block)) continue;
    for (std::size_t slot = 0; slot < optimizer_->slots().size(); ++slot) {
      std::ranges::fill(exchange_->slot(slot, block), optimizer_->slot_start(slot));
    }
    if (has_ema()) std::ranges::copy(weights_of(block), ema_of(block).begin());
  }
}

void Engine::move_ema(std::size_t block) {
  if (has_ema()) move_average(weights_of(block), static_cast<float>(1 - run_.train.ema), ema_of(block));
}

// As an update does it, so that every rank sees them: on other hosts too.
void Engine::swap_ema() {
  if (!has_ema()) return;
  settle();
  (void)comm_.combine(0);  // nobody looks at the weights any more
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    if (exchange_->owns(block)) std::ranges::swap_ranges(weights_of(block), ema_of(block));
  }
  (void)exchange_->publish(0);
  settle();
}

}  // namespace lockstep
