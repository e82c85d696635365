// lockstep doctor --json.
#include <nlohmann/json.hpp>

#include "cli/doctor/doctor.hpp"
#include "core/json_text.hpp"

namespace lockstep::cli {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const ShardTimes& times) {
  return {{"rows", times.rows},
          {"gather_us", times.gather * 1e6},
          {"forward_us", times.forward * 1e6},
          {"backward_us", times.backward * 1e6},
          {"wait_us", times.wait * 1e6},
          {"update_us", times.update * 1e6},
          {"step_us", times.step * 1e6}};
}

Json json_of(std::span<const ShardTimes> list) {
  Json json = Json::array();
  for (const ShardTimes& times : list) json.push_back(json_of(times));
  return json;
}

Json json_of(const NetworkSpeed& speed) {
  return {{"latency_us", speed.latency * 1e6}, {"gbit", speed.bandwidth * 8e-9}, {"load", speed.load}};
}

Json json_of(const RunForecast& forecast) {
  return {{"ranks", forecast.ranks},
          {"hosts", forecast.hosts},
          {"batch", forecast.batch},
          {"samples_per_second", forecast.samples_per_second},
          {"efficiency", forecast.efficiency},
          {"step_us", forecast.step.total() * 1e6},
          {"compute_us", forecast.step.compute * 1e6},
          {"network_us", forecast.step.exposed * 1e6},
          {"update_us", forecast.step.update * 1e6},
          {"wait_us", forecast.step.wait * 1e6}};
}

// Rank counts that the shards do not go round have null for a speed.
Json json_of(std::span<const std::optional<RunForecast>> list) {
  Json json = Json::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    json.push_back(
        list[i] ? json_of(*list[i])
                : Json{{"ranks", std::size_t{1} << i}, {"samples_per_second", nullptr}, {"efficiency", nullptr}});
  }
  return json;
}

Json hosts_json(const Checkup& checkup) {
  Json hosts = Json::array();
  for (std::size_t i = 0; i < checkup.job.hosts.size(); ++i) {
    const Host& host = checkup.job.hosts[i];
    Json rates = Json::array();
    for (const std::size_t rank : host.ranks) rates.push_back(checkup.speed.gemm[rank] / 1e9);
    Json json = {{"host", host.name},
                 {"ranks", host.ranks},
                 {"cores", host.online},
                 {"physical_cores", host.physical},
                 {"allowed_cores", host.cores},
                 {"binding", host.binding},
                 {"blas_kernel", host.kernel},
                 {"simd_target", host.vectors},
                 {"memory_bytes", host.memory},
                 {"available_bytes", host.available},
                 {"shm_free_bytes", host.shared},
                 {"gemm_gflops", rates},
                 {"step_us", checkup.speed.host_steps[i] * 1e6}};
    if (!checkup.network.hosts.empty()) json["gbit"] = checkup.network.hosts[i] * 8e-9;
    hosts.push_back(json);
  }
  return hosts;
}

Json files_json(const Checkup& checkup) {
  Json files = {{"data", Json::array()}, {"output", nullptr}};
  for (const DataSample& sample : checkup.data) {
    files["data"].push_back({{"key", sample.what},
                             {"source", sample.source},
                             {"samples", sample.samples},
                             {"read", sample.rows.samples()},
                             {"seconds", sample.seconds}});
  }
  if (const auto& output = checkup.output) {
    files["output"] = {{"folder", output->folder},
                       {"good", output->good},
                       {"write_seconds", output->write_seconds},
                       {"seen_seconds", output->seen_seconds},
                       {"free_bytes", output->free_bytes}};
  }
  return files;
}

Json speed_json(const Checkup& checkup) {
  const Speed& speed = checkup.speed;
  return {{"rows", speed.gemm_rows},
          {"threads", checkup.net.run.train.threads},
          {"gemm_alone_gflops", speed.gemm_alone / 1e9},
          {"alone", json_of(speed.alone)},
          {"full", json_of(speed.full)},
          {"job",
           {{"exchange", speed.exchange},
            {"step_us", speed.step_seconds * 1e6},
            {"exchange_us", speed.exchange_seconds * 1e6},
            {"samples_per_second", static_cast<double>(checkup.net.run.train.batch) / speed.step_seconds}}}};
}

Json network_json(const Checkup& checkup) {
  const Network& network = checkup.network;
  Json links = Json::array();
  for (const Link& link : network.links) {
    links.push_back({{"hosts", {checkup.job.hosts[link.a].name, checkup.job.hosts[link.b].name}},
                     {"latency_us", link.speed.latency * 1e6},
                     {"gbit", link.speed.bandwidth * 8e-9}});
  }
  Json json = {{"links", links}};
  if (!links.empty()) json.update(json_of(network.speed));
  json["all_gather"] = {{"bytes", network.gather_bytes}, {"us", network.gather_seconds * 1e6}};
  return json;
}

Json prediction_json(const Checkup& checkup) {
  if (!checkup.scaling) return nullptr;
  const Forecasts& forecasts = checkup.forecasts;
  const ScalingLimit& limit = forecasts.limit;
  Json json = {{"ranks_per_host", checkup.scaling->ranks_per_host}, {"network", json_of(checkup.scaling->network)}};
  json["network"]["assumed"] = forecasts.assumed_network;
  json["strong"] = json_of(forecasts.strong);
  json["weak"] = json_of(forecasts.weak);
  json["here"] = forecasts.here ? json_of(*forecasts.here) : Json(nullptr);
  json["limit"] = {{"ranks", limit.ranks},
                   {"ends", limit.ends ? Json(*limit.ends) : Json(nullptr)},
                   {"out_of_shards", limit.out_of_shards},
                   {"batch", limit.batch ? Json(*limit.batch) : Json(nullptr)}};
  return json;
}

}  // namespace

std::string checkup_json(const Checkup& checkup) {
  const Findings& findings = checkup.findings;
  Json json = {{"ranks", checkup.job.host_of.size()}, {"versions", Json::object()}};
  for (const auto& [name, version] : checkup.job.versions) json["versions"][name] = version;
  json["hosts"] = hosts_json(checkup);
  json["files"] = files_json(checkup);
  json["net"] = {{"shape", checkup.net.shape},
                 {"parameters", checkup.net.parameters},
                 {"batch", checkup.net.run.train.batch},
                 {"shards", *checkup.net.run.train.shards}};
  json["speed"] = speed_json(checkup);
  json["network"] = network_json(checkup);
  json["prediction"] = prediction_json(checkup);
  json["problems"] = findings.problems;
  json["warnings"] = findings.warnings;
  json["verdict"] = !findings.problems.empty() ? "bad" : !findings.warnings.empty() ? "slow" : "good";
  return json_text(json);
}

}  // namespace lockstep::cli
