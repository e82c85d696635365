// lockstep doctor: what this job's hosts, network and files can do, what is wrong with them, and what a run would do
// on more of them.
#include "cli/doctor/doctor.hpp"

#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "cli/output.hpp"
#include "cli/ranks.hpp"
#include "cli/run_input.hpp"
#include "cli/watchdog.hpp"
#include "lockstep/error.hpp"
#include "step/engine.hpp"

namespace lockstep::cli {
namespace {

constexpr std::size_t kMostRanks = 1024;  // that are predicted

// What is taken for a network that was neither measured nor given.
constexpr NetworkSpeed kUsualNetwork{.latency = 25e-6, .bandwidth = 10e9 / 8};

// --network LATENCY_US,GBIT
std::optional<NetworkSpeed> given_network(const CommandInput& input) {
  if (input.options.count("network") == 0) return {};
  const auto text = input.options["network"].as<std::string>();
  const char* const end = text.data() + text.size();
  double latency = -1;
  double gigabits = -1;
  auto [at, error] = std::from_chars(text.data(), end, latency);
  if (error == std::errc{} && at != end && *at == ',') {
    const auto second = std::from_chars(at + 1, end, gigabits);
    if (second.ec == std::errc{} && second.ptr == end && latency >= 0 && gigabits > 0 && latency < 1e12 &&
        gigabits < 1e9) {
      return NetworkSpeed{.latency = latency * 1e-6, .bandwidth = gigabits * 1e9 / 8};
    }
  }
  throw Error(ErrorKind::usage,
              fmt::format("--network: expected microseconds and Gbit/s, like 20,25, found \"{}\"", text));
}

// The predictions, from what was measured.
void predict(Checkup& checkup, const std::optional<NetworkSpeed>& network, std::size_t ranks) {
  const TestNet& net = checkup.net;
  Forecasts& forecasts = checkup.forecasts;
  ScalingInput& input = checkup.scaling.emplace();
  input.layers = net.layers;
  input.slots = net.slots;
  input.alone = checkup.speed.alone;
  input.full = checkup.speed.full;
  input.ranks_per_host = checkup.job.fullest();
  input.network = network ? *network : checkup.job.hosts.size() > 1 ? checkup.network.speed : kUsualNetwork;
  input.batch = net.run.train.batch;
  input.shards = net.shards;
  input.wire_bytes = net.run.train.wire == "bfloat16" ? 2 : 4;
  forecasts.assumed_network = !network && checkup.job.hosts.size() == 1;
  const auto count = static_cast<std::int64_t>(ranks);
  forecasts.weak_batch = std::max<std::int64_t>(input.batch / count, 1);
  for (std::size_t many = 1; many <= kMostRanks; many *= 2) {
    forecasts.strong.push_back(predict_run(input, many, input.batch, input.batch));
    forecasts.weak.push_back(
        predict_run(input, many, forecasts.weak_batch * static_cast<std::int64_t>(many), forecasts.weak_batch));
  }
  forecasts.here = predict_run(input, ranks, input.batch, input.batch);
  forecasts.limit = find_limit(input, kMostRanks);
}

}  // namespace

int run_doctor(const CommandInput& input) {
  const Communicator& comm = *input.comm;
  const bool json = input.options.count("json") != 0;
  const auto tell = [&](const std::string& text) {
    if (!comm.is_root() || json) return;
    tell_lines(text);
    std::fflush(stdout);  // the next part takes seconds
  };
  Checkup checkup;
  checkup.has_run = !input.arguments.empty();
  RunConfig run;
  std::optional<NetworkSpeed> network;
  std::optional<std::string> output;
  std::shared_ptr<const Compute> compute;
  if (checkup.has_run) run = read_run(input);
  comm.together([&] {
    network = given_network(input);
    if (!checkup.has_run && input.options.count("set") != 0) {
      throw Error(ErrorKind::usage, "--set changes a run file, and none is given");
    }
    if (checkup.has_run) (void)resolve_run(run, comm.size());
    compute = make_compute({.threads = run.train.threads});
    if (checkup.has_run || input.options.count("output") != 0) output = output_of(input, run);
  });
  if (checkup.has_run) input.watchdog->set_timeout(run.train.stall_timeout, "train.stall_timeout");

  Findings& findings = checkup.findings;
  checkup.job = look_at_hosts(comm, *compute, findings);
  tell(hosts_text(checkup));
  if (checkup.has_run) {
    checkup.data = sample_data(
        comm, checkup.job, run, [&](RunConfig& config) { resolve_run_paths(input, config); }, findings);
  }
  if (output) checkup.output = check_output(comm, checkup.job, *output, findings);
  tell(files_text(checkup));
  // Without its data a run's net has no inputs.
  const bool measures_run = !checkup.data.empty();
  checkup.net = measures_run ? net_of_run(comm, run, checkup.data.front()) : standard_net(comm);
  checkup.speed = measure_speed(comm, checkup.job, checkup.net, findings);
  tell(speed_text(checkup));
  checkup.network = measure_network(comm, *compute, checkup.job, checkup.net.gradient_bytes, findings);
  tell(network_text(checkup));
  if (measures_run) predict(checkup, network, static_cast<std::size_t>(comm.size()));
  tell(forecast_text(checkup));
  tell(verdict_text(checkup));
  if (comm.is_root() && json) tell_lines(checkup_json(checkup) + "\n");
  return findings.problems.empty() ? 0 : 2;  // the same on every rank
}

}  // namespace lockstep::cli
