#include "cli/shared_net.hpp"

#include <algorithm>
#include <optional>

#include "comm/memory_check.hpp"
#include "lockstep/error.hpp"
#include "model/metrics.hpp"
#include "step/shared_info.hpp"

namespace lockstep::cli {

StoredNet load_net(const Communicator& comm, const CommandInput& input) {
  std::optional<Checkpoint> read;
  StoredNet net;
  comm.together([&] {
    if (!comm.is_root()) return;
    net.path = chosen_checkpoint(input);
    comm.pulse().enter(Phase::reading);
    read = read_checkpoint(net.path, [&] { comm.pulse().beat(); });
  });
  net.path = comm.broadcast_text(net.path);
  net.info = share_info(comm, read ? &*read : nullptr, net.path).value();
  comm.together([&] {
    build_net(net);
    net.model->compute()->prepare();
  });
  const std::size_t elements = net.model->parameters().arena_size();
  require_memory(comm, {.own = elements * sizeof(float) + net.model->workspace_bytes(kEvaluationBlock, false)},
                 {.what = net.path});
  comm.together([&] { net.weights = Buffer<float>(elements); });
  if (read) std::ranges::copy(read->net(), net.weights.view().begin());
  comm.broadcast(net.weights.view());
  return net;
}

}  // namespace lockstep::cli
