#include "cli/shared_net.hpp"

#include <algorithm>
#include <optional>

#include "core/blas.hpp"
#include "lockstep/error.hpp"
#include "train/resume.hpp"

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
  comm.together([&] { build_net(net); });
  set_blas_threads(static_cast<int>(net.run.train.threads));  // as in training: another count gives other bits
  net.weights = Buffer<float>(net.model->parameters().arena_size());
  if (read) std::ranges::copy(read->net(), net.weights.view().begin());
  comm.broadcast(net.weights.view());
  return net;
}

}  // namespace lockstep::cli
