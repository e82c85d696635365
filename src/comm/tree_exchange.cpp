// The plain exchange that is right by reading: every rank gets every partial sum and adds them in tree order.
//
// Slow on purpose where speed would cost clarity. It moves (partial sums of all ranks) x (gradient) to every rank, in
// pieces so that memory stays bounded.
#include <algorithm>

#include "comm/replicated_exchange.hpp"
#include "core/convert.hpp"
#include "core/sums.hpp"
#include "core/tree.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPieceElements = 16384;

std::vector<Range> nodes_of_all(std::span<const std::size_t> shard_starts, std::size_t shards,
                                std::vector<std::size_t>& node_starts) {
  std::vector<Range> nodes;
  for (std::size_t rank = 0; rank + 1 < shard_starts.size(); ++rank) {
    node_starts.push_back(nodes.size());
    const std::vector<Range> cover = tree_cover(shards, {shard_starts[rank], shard_starts[rank + 1]});
    nodes.insert(nodes.end(), cover.begin(), cover.end());
  }
  node_starts.push_back(nodes.size());
  return nodes;
}

class TreeExchange final : public ReplicatedExchange {
 public:
  TreeExchange(const Communicator& comm, const ExchangeLayout& layout, const ExchangePlan& plan)
      : ReplicatedExchange(comm, layout, plan),
        nodes_(nodes_of_all(shard_starts_, layout.shards, node_starts_)),
        program_(layout.shards, nodes_),
        send_(sums_.nodes().size() * kPieceElements),
        received_(nodes_.size() * kPieceElements),
        stack_(program_.depth() * kPieceElements),
        counts_(static_cast<std::size_t>(comm.size())),
        offsets_(counts_.size()) {
    (void)narrow<int>(received_.size(), "partial sums of one piece");
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "tree"; }

 private:
  void add_up() override {
    comm_.assemble();
    for (std::size_t begin = 0; begin < layout_.elements; begin += kPieceElements) {
      add_up_piece({begin, std::min(begin + kPieceElements, layout_.elements)});
    }
  }

  void add_up_piece(Range piece) {
    const std::size_t size = piece.size();
    for (std::size_t node = 0; node < sums_.nodes().size(); ++node) {
      const auto part = sums_.sum(node).subspan(piece.begin, size);
      std::copy(part.begin(), part.end(), send_.view().begin() + static_cast<std::ptrdiff_t>(node * size));
    }
    for (std::size_t rank = 0; rank < counts_.size(); ++rank) {
      counts_[rank] = static_cast<int>((node_starts_[rank + 1] - node_starts_[rank]) * size);
      offsets_[rank] = static_cast<int>(node_starts_[rank] * size);
    }
    const Waiting waiting(comm_.pulse());
    check_mpi(MPI_Allgatherv(send_.view().data(), counts_[static_cast<std::size_t>(comm_.rank())], MPI_FLOAT,
                             received_.view().data(), counts_.data(), offsets_.data(), MPI_FLOAT, comm_.get()),
              "MPI_Allgatherv");
    std::size_t height = 0;
    const auto entry = [&](std::size_t index) { return stack_.view().subspan(index * size, size); };
    for (const std::size_t step : program_.steps()) {
      if (step == TreeProgram::kAdd) {
        --height;
        add_to(entry(height - 1), entry(height));
      } else {
        const auto part = received_.view().subspan(step * size, size);
        std::copy(part.begin(), part.end(), entry(height).begin());
        ++height;
      }
    }
    const auto root = entry(0);
    std::copy(root.begin(), root.end(), arrays_.total.view().begin() + static_cast<std::ptrdiff_t>(piece.begin));
  }

  std::vector<std::size_t> node_starts_;  // [ranks + 1] first node of each rank
  std::vector<Range> nodes_;              // of all ranks, left to right
  TreeProgram program_;
  Buffer<float> send_;
  Buffer<float> received_;
  Buffer<float> stack_;
  std::vector<int> counts_;
  std::vector<int> offsets_;
};

}  // namespace

std::unique_ptr<Exchange> make_tree_exchange(const Communicator& comm, const ExchangeLayout& layout,
                                             const ExchangePlan& plan) {
  return std::make_unique<TreeExchange>(comm, layout, plan);
}

}  // namespace lockstep
