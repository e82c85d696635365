#include "cli/stored_net.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "checkpoint/retention.hpp"
#include "config/run_file.hpp"
#include "core/blas.hpp"
#include "train/resume.hpp"
#include "train/run_data.hpp"

namespace lockstep::cli {
namespace {

void expect_argument(const CommandInput& input) {
  if (input.arguments.empty()) throw Error(ErrorKind::usage, "a checkpoint or run folder is needed; see --help");
}

// All but the weights, from path and info.
void build_net(StoredNet& net) {
  net.run = parse_run(net.info.run, net.path + ":/run");
  net.model = std::make_unique<Model>(net.run.model, static_cast<std::size_t>(net.info.inputs));
  net.loss = make_loss(net.run.model.loss);
  net.normalization = normalization_of(net.info);
}

}  // namespace

StoredNet load_net(const Communicator& comm, const CommandInput& input) {
  std::optional<Checkpoint> read;
  StoredNet net;
  comm.together([&] {
    expect_argument(input);
    if (!comm.is_root()) return;
    net.path = checkpoint_file(input.arguments[0]);
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

StoredNet read_net(const CommandInput& input) {
  expect_argument(input);
  StoredNet net;
  net.path = checkpoint_file(input.arguments[0]);
  Checkpoint read = read_checkpoint(net.path);
  net.info = std::move(read.info);
  build_net(net);
  net.weights = Buffer<float>(net.model->parameters().arena_size());
  std::ranges::copy(read.net(), net.weights.view().begin());
  return net;
}

}  // namespace lockstep::cli
