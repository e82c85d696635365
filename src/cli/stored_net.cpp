#include "cli/stored_net.hpp"

#include <algorithm>
#include <utility>

#include "checkpoint/retention.hpp"
#include "config/run_file.hpp"
#include "lockstep/error.hpp"
#include "train/decision.hpp"
#include "train/kept_normalization.hpp"

namespace lockstep::cli {

std::string chosen_checkpoint(const CommandInput& input) {
  if (input.arguments.empty()) throw Error(ErrorKind::usage, "a checkpoint or run folder is needed; see --help");
  return checkpoint_file(input.arguments[0]);
}

void build_net(StoredNet& net) {
  net.run = parse_run(net.info.run, net.path + ":/run");
  net.model = std::make_unique<Model>(net.run.model, static_cast<std::size_t>(net.info.inputs));
  net.loss = make_loss(net.run.model.loss);
  net.normalization = normalization_of(net.info);
  net.threshold = threshold_of(net.run, net.info);
}

StoredNet read_net(const CommandInput& input) {
  StoredNet net;
  net.path = chosen_checkpoint(input);
  Checkpoint read = read_checkpoint(net.path);
  net.info = std::move(read.info);
  build_net(net);
  net.weights = Buffer<float>(net.model->parameters().arena_size());
  std::ranges::copy(read.net(), net.weights.view().begin());
  return net;
}

}  // namespace lockstep::cli
