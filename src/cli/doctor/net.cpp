// lockstep doctor: the net that is measured.
#include <fmt/format.h>

#include <memory>

#include "cli/doctor/doctor.hpp"
#include "core/random.hpp"
#include "feed/run_data.hpp"
#include "model/class_weights.hpp"
#include "step/engine.hpp"

namespace lockstep::cli {
namespace {

std::vector<LayerCost> costs_of(const Model& model) {
  std::vector<LayerCost> costs;
  for (std::size_t layer = 0; layer < model.layer_names().size(); ++layer) {
    const Cost cost = model.cost(layer);
    costs.push_back({.forward = cost.forward, .by_weights = cost.by_weights, .by_inputs = cost.by_inputs});
    for (const Parameter& parameter : model.parameters().entries()) {
      if (parameter.layer == model.layer_names()[layer])
        costs.back().parameters += static_cast<double>(parameter.range.size());
    }
  }
  return costs;
}

// What the model says of the net; Errors: config.
void describe_net(TestNet& net) {
  const EngineParts parts(still_run(net, static_cast<std::size_t>(*net.run.train.shards)), net.inputs, 1);
  const ParameterTable& table = parts.model.parameters();
  net.parameters = table.count();
  net.slots = parts.optimizer->slots().size() + (net.run.train.ema > 0 ? 1 : 0);
  net.layers = layer_shares(costs_of(parts.model));
  net.gradient_bytes = static_cast<double>(table.arena_size() * sizeof(float));
  net.shape = std::to_string(net.inputs);
  for (const Product& product : parts.model.products()) net.shape += fmt::format("-{}", product.out);
  net.row_bytes = static_cast<double>(parts.model.workspace_bytes(1, true));
}

}  // namespace

RunConfig still_run(const TestNet& net, std::size_t shards) {
  RunConfig run = net.run;
  run.train.shards = static_cast<std::int64_t>(shards);
  run.optimizer.lr = 0.0;
  run.optimizer.schedule = {"constant"};
  return run;
}

TestNet net_of_run(const Communicator& comm, const RunConfig& run, const DataSample& sample) {
  TestNet net;
  comm.together([&] {
    net.shards = run.train.shards;
    net.run = resolve_run(run, comm.size());
    net.run.model.loss = without_class_weights(run.model.loss);  // they cost no time, and a sample may show none
    net.data = sample.rows;
    net.inputs = sample.rows.inputs();
    const std::unique_ptr<Loss> loss = make_loss(net.run.model.loss);
    describe_net(net);
    const EngineParts parts(net.run, net.inputs, 1);
    make_loss(run.model.loss)->check_outputs(parts.model.outputs());
    // A sample need not show all classes.
    const bool known = run.data.classes.has_value() || !net.data.class_names.empty();
    check_targets(net.data, nullptr, *loss, parts.model.outputs(),
                  known ? run.data.classes : static_cast<std::int64_t>(parts.model.outputs()));
    const NormalizeMethod method = parse_normalize(run.data.normalize);
    if (method == NormalizeMethod::none) return;
    net.normalization.x = fit_scaling(method, net.data.x);
    if (loss->normalizes_targets()) net.normalization.y = fit_scaling(method, net.data.y, {}, values_of_y(net.data));
  });
  return net;
}

TestNet standard_net(const Communicator& comm) {
  constexpr std::size_t kInputs = 784;
  constexpr std::size_t kOutputs = 10;
  constexpr std::size_t kSamples = 4096;
  TestNet net;
  comm.together([&] {
    net.inputs = kInputs;
    net.run.model.loss = {"softmax_cross_entropy"};
    net.run.model.layers = {{"dense", {{"units", std::int64_t{512}}}},
                            {"relu"},
                            {"dense", {{"units", std::int64_t{256}}}},
                            {"relu"},
                            {"dense", {{"units", std::int64_t{kOutputs}}}}};
    net.run.train.batch = std::int64_t{64} * comm.size();
    net.run.optimizer.options.set("momentum", 0.9);
    net.run = resolve_run(net.run, comm.size());
    net.data.source = "made-up data";
    std::vector<float> x(kSamples * kInputs);
    fill_uniform({1, RandomPurpose::bench, 0, 0, 0}, 0.0F, 1.0F, x);
    net.data.x = make_table(kInputs, std::move(x));
    std::vector<std::uint32_t> words(kSamples);
    random_fill({1, RandomPurpose::bench, 1, 0, 0}, words);
    std::vector<std::int32_t> labels;
    for (const std::uint32_t word : words) labels.push_back(static_cast<std::int32_t>(word % kOutputs));
    net.data.y = make_table(1, std::move(labels));
    describe_net(net);
  });
  return net;
}

}  // namespace lockstep::cli
