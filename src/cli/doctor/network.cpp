// lockstep doctor: what goes between ranks and hosts, and how fast.
//
// Messages are 32 KB, as the exchange sends them: below the limit above which Open MPI asks the receiver first. Waiting
// ranks give their core to the kernel, which does the network's work.
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "cli/doctor/doctor.hpp"
#include "comm/host_pairs.hpp"
#include "core/buffer.hpp"
#include "core/convert.hpp"
#include "core/median.hpp"

namespace lockstep::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTag = 1;
constexpr std::size_t kPiece = std::size_t{1} << 15U;  // bytes of a message
constexpr std::size_t kFirst = std::size_t{1} << 18U;  // bytes of the first try
constexpr std::size_t kMost = std::size_t{1} << 24U;   // bytes of the last one
constexpr double kEnough = 0.12;                       // [s] that a try takes
constexpr std::size_t kTries = 3;                      // of that length
constexpr std::size_t kPings = 50;
constexpr double kMostLoad = 0.9;

struct Transfer {
  int rank = 0;  // of the other
  std::size_t bytes = 0;
};

// Non-blocking messages, and waiting for them without holding the core.
class Messages {
 public:
  explicit Messages(const Communicator& comm) : comm_(comm) {}

  void send(Transfer to, std::span<const std::byte> data) {
    in_pieces(to, [&](std::size_t first, int count) {
      check_mpi(MPI_Isend(data.data() + first, count, MPI_BYTE, to.rank, kTag, comm_.get(), next()), "MPI_Isend");
    });
  }
  void receive(Transfer from, std::span<std::byte> data) {
    in_pieces(from, [&](std::size_t first, int count) {
      check_mpi(MPI_Irecv(data.data() + first, count, MPI_BYTE, from.rank, kTag, comm_.get(), next()), "MPI_Irecv");
    });
  }
  [[nodiscard]] bool done() {
    int done = 0;
    check_mpi(MPI_Testall(narrow<int>(requests_.size()), requests_.data(), &done, MPI_STATUSES_IGNORE), "MPI_Testall");
    if (done != 0) requests_.clear();
    return done != 0;
  }
  void finish() {
    while (!done()) sched_yield();
  }

 private:
  template <class Move>
  void in_pieces(Transfer transfer, Move move) {
    for (std::size_t first = 0; first < transfer.bytes; first += kPiece) {
      move(first, static_cast<int>(std::min(kPiece, transfer.bytes - first)));
    }
  }
  MPI_Request* next() { return &requests_.emplace_back(MPI_REQUEST_NULL); }

  const Communicator& comm_;
  std::vector<MPI_Request> requests_;
};

// What a rank sends and receives at once.
struct Traffic {
  std::vector<Transfer> out = {};
  std::vector<Transfer> in = {};
  std::span<std::byte> sent = {};
  std::span<std::byte> received = {};

  void start(Messages& messages, bool all) const {
    std::size_t at = 0;
    for (const Transfer& from : in) {
      messages.receive({from.rank, all ? from.bytes : 1}, received.subspan(at));
      at += from.bytes;
    }
    at = 0;
    for (const Transfer& to : out) {
      messages.send({to.rank, all ? to.bytes : 1}, sent.subspan(at));
      at += to.bytes;
    }
  }
};

// Seconds of this rank's part, once the ranks it meets are ready for it.
double time_traffic(const Communicator& comm, const Traffic& traffic) {
  const Waiting waiting(comm.pulse());
  Messages messages(comm);
  traffic.start(messages, false);
  messages.finish();
  const auto start = Clock::now();
  traffic.start(messages, true);
  messages.finish();
  return seconds_since(start);
}

// The share of this rank's computing that goes to the traffic beside it.
double traffic_load(const Communicator& comm, const Compute& compute, const Traffic& traffic) {
  constexpr std::size_t kSide = 128;
  constexpr std::size_t kProducts = 200;
  std::array<Buffer<float>, 3> matrices{Buffer<float>(kSide * kSide), Buffer<float>(kSide * kSide),
                                        Buffer<float>(kSide * kSide)};
  const auto product = [&] {
    compute.gemm({kSide, kSide, kSide}, Transpose::no, matrices[0].view(), Transpose::no, matrices[1].view(), 0.0F,
                 matrices[2].view());
  };
  product();
  comm.barrier();
  auto start = Clock::now();
  for (std::size_t i = 0; i < kProducts; ++i) product();
  const double alone = seconds_since(start) / kProducts;
  comm.barrier();
  const Waiting waiting(comm.pulse());
  Messages messages(comm);
  traffic.start(messages, false);
  messages.finish();
  start = Clock::now();
  traffic.start(messages, true);
  double products = 0;
  for (; !messages.done(); ++products) product();
  return std::clamp(1 - products * alone / seconds_since(start), 0.0, kMostLoad);
}

// [s] from one to the other, half of there and back; 0 on ranks that do not take part.
double time_pings(const Communicator& comm, int other, bool first) {
  const Waiting waiting(comm.pulse());
  Messages messages(comm);
  std::array<std::byte, 8> data{};
  std::vector<double> seconds;
  for (std::size_t ping = 0; ping < kPings; ++ping) {
    const auto start = Clock::now();
    for (const bool sends : {first, !first}) {
      sends ? messages.send({other, data.size()}, data) : messages.receive({other, data.size()}, data);
      messages.finish();
    }
    seconds.push_back(seconds_since(start) / 2);
    comm.pulse().beat();
  }
  return median(seconds);
}

// Seconds of a transfer of `bytes`, as many as take long enough, by the slowest rank of each host: [hosts], on every
// rank. `own(bytes)`: seconds of this rank's part of it, 0 where it has none.
template <class Own>
std::vector<double> host_seconds(const Communicator& comm, const Job& job, std::size_t& bytes, Own own) {
  std::vector<std::vector<double>> tries(job.hosts.size());
  bytes = kFirst;
  for (std::size_t measured = 0; measured < kTries;) {
    comm.barrier();
    const double mine = own(bytes);
    wait_quietly(comm);  // who is done leaves the cores to the others' network
    const std::vector<double> seconds = gather_numbers(comm, mine);
    std::vector<double> hosts(job.hosts.size());
    for (std::size_t rank = 0; rank < seconds.size(); ++rank) {
      double& host = hosts[job.host_of[rank]];
      host = std::max(host, seconds[rank]);
    }
    if (measured == 0 && *std::ranges::max_element(hosts) < kEnough && bytes < kMost) {
      bytes *= 2;
      continue;
    }
    ++measured;
    for (std::size_t host = 0; host < hosts.size(); ++host) tries[host].push_back(hosts[host]);
  }
  std::vector<double> medians;
  for (const std::vector<double>& seconds : tries) medians.push_back(median(seconds));
  return medians;
}

std::vector<Link> measure_links(const Communicator& comm, const Job& job) {
  std::vector<Link> links;
  const bool leads = job.leader(job.here) == static_cast<std::size_t>(comm.rank());
  Buffer<std::byte> sent(leads ? kMost : 0);
  Buffer<std::byte> received(leads ? kMost : 0);
  for (const auto& round : host_pairs(job.hosts.size())) {
    std::optional<int> other;
    bool first = false;
    for (const auto& [a, b] : round) {
      if (!leads || (job.here != a && job.here != b)) continue;
      first = job.here == a;
      other = static_cast<int>(job.leader(first ? b : a));
    }
    wait_quietly(comm);
    const double latency = other ? time_pings(comm, *other, first) : 0;
    wait_quietly(comm);
    const std::vector<double> latencies = gather_numbers(comm, latency);
    std::size_t bytes = 0;
    const std::vector<double> seconds = host_seconds(comm, job, bytes, [&](std::size_t size) {
      if (!other) return 0.0;
      const std::vector<Transfer> transfer{{*other, size}};
      return time_traffic(comm, {transfer, transfer, sent.view(), received.view()});
    });
    for (const auto& [a, b] : round) {
      const double slower = std::max(seconds[a], seconds[b]);
      links.push_back(
          {.a = a,
           .b = b,
           .speed = {.latency = latencies[job.leader(a)], .bandwidth = static_cast<double>(bytes) / slower}});
    }
  }
  return links;
}

// Every rank sends to one of the next host, and receives from those of the host before that send to it.
void measure_hosts(const Communicator& comm, const Compute& compute, const Job& job, Network& network) {
  const std::size_t count = job.hosts.size();
  const Host& here = job.hosts[job.here];
  const Host& next = job.hosts[(job.here + 1) % count];
  const Host& before = job.hosts[(job.here + count - 1) % count];
  const auto own = static_cast<std::size_t>(comm.node_rank());
  const auto outgoing = [&](std::size_t size) {
    return std::vector<Transfer>{
        {static_cast<int>(next.ranks[own % next.ranks.size()]), part_of(size, own, here.ranks.size()).size()}};
  };
  const auto incoming = [&](std::size_t size) {
    std::vector<Transfer> from;
    for (std::size_t i = own; i < before.ranks.size(); i += here.ranks.size()) {
      from.push_back({static_cast<int>(before.ranks[i]), part_of(size, i, before.ranks.size()).size()});
    }
    return from;
  };
  const auto total = [](const std::vector<Transfer>& transfers) {
    std::size_t sum = 0;
    for (const Transfer& transfer : transfers) sum += transfer.bytes;
    return sum;
  };
  Buffer<std::byte> sent(total(outgoing(kMost)));
  Buffer<std::byte> received(total(incoming(kMost)));
  const auto traffic = [&](std::size_t size) {
    return Traffic{outgoing(size), incoming(size), sent.view(), received.view()};
  };
  wait_quietly(comm);
  std::size_t bytes = 0;
  network.hosts = host_seconds(comm, job, bytes, [&](std::size_t size) { return time_traffic(comm, traffic(size)); });
  for (double& value : network.hosts) value = static_cast<double>(bytes) / value;
  std::vector<double> loads;
  for (std::size_t i = 0; i < kTries; ++i) {
    const double mine = traffic_load(comm, compute, traffic(bytes));
    wait_quietly(comm);
    loads.push_back(median(gather_numbers(comm, mine)));
  }
  network.speed.load = median(loads);
}

void name_slow(const Job& job, const Network& network, Findings& findings) {
  std::vector<double> bandwidths;
  std::vector<double> speeds;  // of messages: the longer, the slower
  for (const Link& link : network.links) {
    bandwidths.push_back(link.speed.bandwidth);
    speeds.push_back(1 / link.speed.latency);
  }
  const auto pair = [&](std::size_t link) {
    return fmt::format("{} and {}", job.hosts[network.links[link].a].name, job.hosts[network.links[link].b].name);
  };
  for (const std::size_t link : far_below_median(bandwidths, kSlowShare)) {
    findings.warnings.push_back(
        fmt::format("the link between {} is slow: {:.2f} Gbit/s, the median of the links is {:.2f}", pair(link),
                    bandwidths[link] * 8e-9, median(bandwidths) * 8e-9));
  }
  // Latencies scatter more than bandwidths.
  for (const std::size_t link : far_below_median(speeds, 0.5)) {
    findings.warnings.push_back(fmt::format("messages between {} take {:.0f} us, the median of the links is {:.0f}",
                                            pair(link), 1e6 / speeds[link], 1e6 / median(speeds)));
  }
  for (const std::size_t host : far_below_median(network.hosts, kSlowShare)) {
    findings.warnings.push_back(
        fmt::format("host {} sends and receives slowly: {:.2f} Gbit/s, the median of the hosts is "
                    "{:.2f}",
                    job.hosts[host].name, network.hosts[host] * 8e-9, median(network.hosts) * 8e-9));
  }
}

// Seconds of an all-gather of `bytes` over all ranks.
double time_gather(const Communicator& comm, std::size_t bytes) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  const std::size_t part = std::max<std::size_t>(std::min(bytes, kMost) / ranks, 1);
  Buffer<std::byte> all(part * ranks);
  std::vector<double> seconds;
  for (std::size_t round = 0; round < kTries + 1; ++round) {  // the first one warms up
    comm.barrier();
    const Waiting waiting(comm.pulse());
    const auto start = Clock::now();
    check_mpi(
        MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all.view().data(), narrow<int>(part), MPI_BYTE, comm.get()),
        "MPI_Allgather");
    if (round > 0) seconds.push_back(seconds_since(start));
  }
  return comm.max(median(seconds));
}

}  // namespace

Network measure_network(const Communicator& comm, const Compute& compute, const Job& job, double bytes,
                        Findings& findings) {
  Network network;
  if (comm.size() > 1) {
    network.gather_bytes = std::min(bytes, double{kMost});
    network.gather_seconds = time_gather(comm, static_cast<std::size_t>(bytes));
  }
  if (job.hosts.size() == 1) return network;
  network.links = measure_links(comm, job);
  measure_hosts(comm, compute, job, network);
  std::vector<double> latencies;
  for (const Link& link : network.links) latencies.push_back(link.speed.latency);
  network.speed.latency = median(latencies);
  network.speed.bandwidth = *std::ranges::min_element(network.hosts);
  name_slow(job, network, findings);
  return network;
}

}  // namespace lockstep::cli
