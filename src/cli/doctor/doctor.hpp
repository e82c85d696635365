// What lockstep doctor finds, and the parts that look for it. doctor.cpp calls them in turn.
//
// Every part is collective. What it finds is whole on rank 0; on the others too where it says so.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "comm/communicator.hpp"
#include "compute/compute.hpp"
#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "lockstep/run_config.hpp"
#include "model/loss.hpp"
#include "run/scaling_model.hpp"

namespace lockstep::cli {

/// How far behind the median a rank, host or link is called slow.
inline constexpr double kSlowShare = 0.2;

[[nodiscard]] inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// What is wrong: `problems` would stop a run, `warnings` would not.
struct Findings {
  std::vector<std::string> problems = {};
  std::vector<std::string> warnings = {};
};

// ---- doctor_hosts.cpp: who is there ----

struct Host {
  std::string name;                ///< two hosts of one name get their numbers
  std::vector<std::size_t> ranks;  ///< ascending; the first is the host's leader
  std::vector<int> cores;          ///< that its ranks may use
  std::string binding;             ///< of the ranks, in words
  std::size_t online = 0;          ///< cores that the system has
  std::size_t physical = 0;        ///< 0: not known
  std::string kernel;              ///< of the BLAS, on the leader
  std::string vectors;             ///< SIMD target
  double memory = 0;               ///< [bytes], or less where a container may use less
  double available = 0;            ///< [bytes]
  double shared = 0;               ///< [bytes] free in /dev/shm
};

struct Job {
  std::vector<Host> hosts;           ///< in the order of their leaders
  std::vector<std::size_t> host_of;  ///< [ranks]
  std::size_t here = 0;              ///< this rank's host
  /// Name and version of lockstep, MPI, BLAS and HDF5, on rank 0.
  std::vector<std::pair<std::string, std::string>> versions;

  [[nodiscard]] std::size_t fullest() const;  ///< the most ranks on a host
  [[nodiscard]] std::size_t leader(std::size_t host) const { return hosts[host].ranks.front(); }
  /// "rank 3 on b".
  [[nodiscard]] std::string rank_name(std::size_t rank) const;
};

/// On every rank.
[[nodiscard]] Job look_at_hosts(const Communicator& comm, const Compute& compute, Findings& findings);

/// A number of every rank, on every rank.
[[nodiscard]] std::vector<double> gather_numbers(const Communicator& comm, double value);

/// Waits for all without keeping a core busy, for some measure meanwhile.
void wait_quietly(const Communicator& comm);

// ---- doctor_files.cpp: data and output folder ----

/// Some rows of a data set.
struct DataSample {
  std::string what;                  ///< the key: "data.train"
  std::string source;                ///< as the run names it
  std::size_t samples = 0;           ///< in all
  Dataset rows;                      ///< those that were read
  std::vector<double> seconds = {};  ///< [hosts] of the leaders, which read first
};

/// Opens and samples the run's data on every rank: on each host first one rank, then the others. Whole on every rank;
/// empty where the findings say why. Paths are made absolute on the way, by `resolve`.
[[nodiscard]] std::vector<DataSample> sample_data(const Communicator& comm, const Job& job, RunConfig& run,
                                                  const std::function<void(RunConfig&)>& resolve, Findings& findings);

struct OutputCheck {
  std::string folder;
  double write_seconds = 0;  ///< rank 0 writes, syncs and renames a small file
  double seen_seconds = 0;   ///< until the last rank sees it
  double free_bytes = 0;     ///< on the file system of the folder
  bool good = false;
};
[[nodiscard]] OutputCheck check_output(const Communicator& comm, const Job& job, const std::string& folder,
                                       Findings& findings);

// ---- doctor_net.cpp: what is measured ----

/// What the measurements train: the run's net, or one for all.
struct TestNet {
  RunConfig run;                       ///< resolved
  std::optional<std::int64_t> shards;  ///< as the run file has it
  Dataset data;
  Normalization normalization;
  std::size_t inputs = 0;
  std::size_t parameters = 0;
  std::size_t slots = 0;
  std::vector<LayerShare> layers = {};
  std::string shape;          ///< "784-512-256-10"
  double gradient_bytes = 0;  ///< of the arena
  double row_bytes = 1;       ///< of the activations of a row
};

/// The net of `run` over the rows of `sample`. Errors, agreed: config, data.
[[nodiscard]] TestNet net_of_run(const Communicator& comm, const RunConfig& run, const DataSample& sample);
/// 784-512-256-10 on made-up data, 64 samples a rank.
[[nodiscard]] TestNet standard_net(const Communicator& comm);

/// The run of the net with other shards, and with weights that stay as they are: nothing can diverge.
[[nodiscard]] RunConfig still_run(const TestNet& net, std::size_t shards);

// ---- doctor_speed.cpp: ranks and hosts ----

struct Speed {
  std::size_t gemm_rows = 0;
  std::vector<double> gemm = {};        ///< [ranks] [flop/s], all at once
  double gemm_alone = 0;                ///< [flop/s] of rank 0 while the others wait
  std::vector<ShardTimes> alone = {};   ///< rank 0 while the others wait
  std::vector<ShardTimes> full = {};    ///< the slowest of the fullest hosts, all ranks of all hosts at once
  std::vector<double> host_steps = {};  ///< [hosts] seconds of a step within the host, at the most rows
  // The run's own step, over all ranks.
  std::string exchange;
  double step_seconds = 0;
  double exchange_seconds = 0;  ///< of the step: exchange, update and waiting
};
/// On every rank.
[[nodiscard]] Speed measure_speed(const Communicator& comm, const Job& job, const TestNet& net, Findings& findings);

// ---- doctor_network.cpp: between ranks and hosts ----

struct Link {
  std::size_t a = 0;  ///< hosts
  std::size_t b = 0;
  NetworkSpeed speed = {};  ///< between their leaders
};

struct Network {
  std::vector<Link> links = {};
  std::vector<double> hosts = {};  ///< [hosts] [bytes/s] sent to the next host by all ranks, all hosts at once
  NetworkSpeed speed = {};         ///< for the model: median latency, slowest host; 0 on one host
  double gather_bytes = 0;
  double gather_seconds = 0;  ///< of an all-gather of so much over all ranks
};
/// On every rank.
[[nodiscard]] Network measure_network(const Communicator& comm, const Compute& compute, const Job& job, double bytes,
                                      Findings& findings);

// ---- doctor_report.cpp: for people and for scripts ----

struct Forecasts {
  std::vector<std::optional<RunForecast>> strong = {};  ///< 1, 2, 4, ... ranks
  std::vector<std::optional<RunForecast>> weak = {};
  std::optional<RunForecast> here = {};  ///< the ranks of this job
  ScalingLimit limit = {};
  std::int64_t weak_batch = 1;  ///< a rank
  bool assumed_network = false;
};

struct Checkup {
  Job job = {};
  std::vector<DataSample> data = {};
  std::optional<OutputCheck> output = {};
  TestNet net = {};
  bool has_run = false;
  Speed speed = {};
  Network network = {};
  std::optional<ScalingInput> scaling = {};
  Forecasts forecasts = {};
  Findings findings = {};
};

[[nodiscard]] std::string hosts_text(const Checkup& checkup);
[[nodiscard]] std::string files_text(const Checkup& checkup);
[[nodiscard]] std::string speed_text(const Checkup& checkup);
[[nodiscard]] std::string network_text(const Checkup& checkup);
[[nodiscard]] std::string forecast_text(const Checkup& checkup);
[[nodiscard]] std::string verdict_text(const Checkup& checkup);
[[nodiscard]] std::string checkup_json(const Checkup& checkup);

}  // namespace lockstep::cli
