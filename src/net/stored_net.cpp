#include "net/stored_net.hpp"

#include <algorithm>
#include <utility>

#include "compute/compute.hpp"
#include "config/run_file.hpp"
#include "lockstep/error.hpp"
#include "net/decision.hpp"
#include "net/kept_normalization.hpp"

namespace lockstep {

void build_net(StoredNet& net) {
  net.run = parse_run(net.info.run, net.path + ":/run");
  net.model = std::make_unique<Model>(net.run.model, Shape(net.info.input_shape),
                                      make_compute({.threads = net.run.train.threads}));
  net.loss = make_loss(net.run.model.loss);
  net.normalization = normalization_of(net.info);
  net.threshold = threshold_of(net.run, net.info);
}

StoredNet read_stored_net(const std::string& path) {
  StoredNet net;
  net.path = path;
  Checkpoint read = read_checkpoint(net.path);
  net.info = std::move(read.info);
  build_net(net);
  net.weights = Buffer<float>(net.model->parameters().arena_size());
  std::ranges::copy(read.net(), net.weights.view().begin());
  return net;
}

}  // namespace lockstep
