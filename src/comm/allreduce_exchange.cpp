// The textbook exchange: one MPI_Allreduce over the flat gradient, then every rank updates every weight.
//
// Quick on any MPI. MPI chooses the order of the additions, so the bits depend on the rank count.
#include <algorithm>

#include "comm/replicated_exchange.hpp"
#include "core/sums.hpp"

namespace lockstep {
namespace {

class AllreduceExchange final : public ReplicatedExchange {
 public:
  using ReplicatedExchange::ReplicatedExchange;

  [[nodiscard]] std::string_view name() const noexcept override { return "allreduce"; }

 private:
  void add_up() override {
    const std::span<float> total = arrays_.total.view();
    std::ranges::copy(sums_.sum(0), total.begin());
    for (std::size_t node = 1; node < sums_.nodes().size(); ++node) add_to(total, sums_.sum(node));
    comm_.sum(total);
  }
};

}  // namespace

std::unique_ptr<Exchange> make_allreduce_exchange(const Communicator& comm, const ExchangeLayout& layout,
                                                  const ExchangePlan& plan) {
  return std::make_unique<AllreduceExchange>(comm, layout, plan);
}

}  // namespace lockstep
