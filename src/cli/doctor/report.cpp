// lockstep doctor: the report for people, at most 100 columns wide.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/doctor/doctor.hpp"
#include "core/median.hpp"
#include "core/number_text.hpp"
#include "core/visible_text.hpp"

namespace lockstep::cli {
namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kMostLinks = 10;  // that are listed

std::string time_text(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.1f} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.1f} ms", seconds * 1e3);
  return fmt::format("{:.1f} s", seconds);
}

std::string bytes_text(double bytes) {
  if (bytes < 1e6) return fmt::format("{:.1f} KB", bytes / 1e3);
  if (bytes < 1e9) return fmt::format("{:.1f} MB", bytes / 1e6);
  return fmt::format("{:.1f} GB", bytes / 1e9);
}

double gigabits(double bytes_a_second) {
  return bytes_a_second * 8e-9;
}

// A name of at most `most` characters.
std::string shortened(const std::string& whole, std::size_t most = 20) {
  const std::string name = visible(whole);
  return name.size() <= most ? name : name.substr(0, most - 2) + "..";
}

std::string heading(const std::string& title, const std::string& text) {
  return text.empty() ? fmt::format("\n{}\n", title) : fmt::format("\n{:<12}{}\n", title, text);
}

// `paragraph` behind `label`, in lines of kWidth.
std::string wrapped(const std::string& label, const std::string& paragraph) {
  const std::string text = visible(paragraph);
  const std::string indent(label.size(), ' ');
  std::string lines = label;
  std::size_t column = label.size();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (column > label.size() && column + 1 + end - at > kWidth) {
      lines += "\n" + indent;
      column = label.size();
    }
    if (column > label.size()) {
      lines += ' ';
      ++column;
    }
    lines += text.substr(at, end - at);
    column += end - at;
    at = end + 1;
  }
  return lines + "\n";
}

std::string step_row(const std::string& who, const ShardTimes& t) {
  return fmt::format("  {:<32}{:>10.1f}{:>10.1f}{:>10.1f}{:>9.1f}{:>10.1f}{:>12.1f}\n", who, t.gather * 1e6,
                     t.forward * 1e6, t.backward * 1e6, t.wait * 1e6, t.update * 1e6, t.step * 1e6);
}

std::string forecast_row(std::size_t ranks, const std::optional<RunForecast>& strong,
                         const std::optional<RunForecast>& weak) {
  std::string row = fmt::format("  {:>5}", ranks);
  if (strong) {
    const StepForecast& step = strong->step;
    row += fmt::format("{:>7}{:>12.0f}{:>6.2f}{:>11.1f}{:>10.1f}{:>10.1f}{:>10.1f}", strong->hosts,
                       strong->samples_per_second, strong->efficiency, step.compute * 1e6, step.exposed * 1e6,
                       step.update * 1e6, step.wait * 1e6);
  } else {
    row += fmt::format("{:>7}{:>12}{:>6}{:>11}{:>10}{:>10}{:>10}", "-", "-", "-", "-", "-", "-", "-");
  }
  return row + (weak ? fmt::format("{:>14.0f}{:>6.2f}\n", weak->samples_per_second, weak->efficiency)
                     : fmt::format("{:>14}{:>6}\n", "-", "-"));
}

std::string limit_text(const ScalingInput& input, const ScalingLimit& limit) {
  if (!limit.ends) {
    return fmt::format("With its batch of {}, the run is at least half efficient on up to {}.", input.batch,
                       count_text(limit.ranks, "rank"));
  }
  if (limit.out_of_shards) {
    return fmt::format(
        "The run scales to {} and ends there: train.shards = {} go round no more ranks. More shards "
        "are another run (other bits).",
        count_text(limit.ranks, "rank"), input.shards.value_or(0));
  }
  return fmt::format("With its batch of {}, the run scales to {}: on {} it is less than half efficient. {}",
                     input.batch, count_text(limit.ranks, "rank"), *limit.ends,
                     limit.batch ? fmt::format("A batch of {} would move that to twice the ranks.", *limit.batch)
                                 : "No batch would move that.");
}

}  // namespace

std::string hosts_text(const Checkup& checkup) {
  const Job& job = checkup.job;
  std::string text =
      fmt::format("{} on {}", count_text(job.host_of.size(), "rank"), count_text(job.hosts.size(), "host"));
  for (const auto& [name, version] : job.versions) {
    text += fmt::format(", {}", name == "lockstep" ? name + " " + version : version);
  }
  text += "\n" + heading("HOSTS", "");
  text += fmt::format("  {:<20}{:>6}{:>7}{:>10}{:>9}  {:<20}{:>12}{:>12}\n", "host", "ranks", "cores", "physical",
                      "allowed", "binding", "memory free", "shm free");
  for (const Host& host : job.hosts) {
    text += fmt::format("  {:<20}{:>6}{:>7}{:>10}{:>9}  {:<20}{:>12}{:>12}\n", shortened(host.name), host.ranks.size(),
                        host.online, host.physical == 0 ? "-" : std::to_string(host.physical), host.cores.size(),
                        host.binding, bytes_text(host.available), bytes_text(host.shared));
  }
  return text;
}

std::string files_text(const Checkup& checkup) {
  if (checkup.data.empty() && !checkup.output) return "";
  std::string text = heading("FILES", "");
  for (const DataSample& sample : checkup.data) {
    const auto [least, most] = std::ranges::minmax(sample.seconds);
    text += wrapped(
        fmt::format("  {:<12}", sample.what),
        fmt::format("{}: {}, {} of them read by every host in {}", sample.source, count_text(sample.samples, "sample"),
                    sample.rows.samples(),
                    sample.seconds.size() == 1 ? time_text(most) : time_text(least) + " to " + time_text(most)));
  }
  if (checkup.output) {
    const OutputCheck& output = *checkup.output;
    text += wrapped(fmt::format("  {:<12}", "output"),
                    output.good
                        ? fmt::format("{}: a file written, synced and renamed in {}, seen by all ranks in {}; {} free",
                                      output.folder, time_text(output.write_seconds), time_text(output.seen_seconds),
                                      bytes_text(output.free_bytes))
                        : output.folder + ": cannot be used, see below");
  }
  return text;
}

std::string speed_text(const Checkup& checkup) {
  const Job& job = checkup.job;
  const Speed& speed = checkup.speed;
  const TestNet& net = checkup.net;
  std::string text =
      heading("COMPUTE", fmt::format("net {}{}, {} a shard, {} a rank", net.shape,
                                     checkup.has_run && checkup.data.empty() ? " (not the run's)" : "",
                                     count_text(speed.gemm_rows, "row"), count_text(net.run.train.threads, "thread")));
  text += fmt::format("  {:<20}{:<14}{:<14}{:>28}{:>10}{:>10}\n", "host", "BLAS kernel", "vectors",
                      "GFLOP/s a rank: median", "least", "most");
  for (const Host& host : job.hosts) {
    std::vector<double> rates;
    for (const std::size_t rank : host.ranks) rates.push_back(speed.gemm[rank] / 1e9);
    const auto [least, most] = std::ranges::minmax(rates);
    text += fmt::format("  {:<20}{:<14}{:<14}{:>28.1f}{:>10.1f}{:>10.1f}\n", shortened(host.name), host.kernel,
                        host.vectors, median(rates), least, most);
  }
  text += fmt::format("  {:<48}{:>28.1f}\n", "rank 0 alone", speed.gemm_alone / 1e9);
  text += fmt::format("\n  {:<32}{:>10}{:>10}{:>10}{:>9}{:>10}{:>12}\n", "a step within a host [us]", "gather",
                      "forward", "backward", "wait", "update", "in all");
  const auto rows = static_cast<double>(speed.gemm_rows);
  text += step_row("rank 0 alone", times_at(speed.alone, rows));
  text += step_row(count_text(job.fullest(), "rank") + " of every host at once", times_at(speed.full, rows));
  text +=
      wrapped("  ", fmt::format("The step of all ranks takes {}, of it {} exchange ({}), update and waiting, for {} of "
                                "gradients.",
                                time_text(speed.step_seconds), time_text(speed.exchange_seconds), speed.exchange,
                                bytes_text(net.gradient_bytes)));
  return text;
}

std::string network_text(const Checkup& checkup) {
  const Job& job = checkup.job;
  const Network& network = checkup.network;
  if (job.host_of.size() == 1) return "";
  std::string text = heading("NETWORK", job.hosts.size() == 1 ? "one host: nothing to measure between hosts" : "");
  if (job.hosts.size() > 1) {
    std::vector<Link> links = network.links;
    std::ranges::stable_sort(links, {}, [](const Link& link) { return link.speed.bandwidth; });
    text += fmt::format("  {:<46}{:>14}{:>18}\n", "link", "latency [us]", "Gbit/s each way");
    for (std::size_t i = 0; i < std::min(links.size(), kMostLinks); ++i) {
      const auto& [a, b, speed] = links[i];
      text += fmt::format("  {:<46}{:>14.1f}{:>18.3f}\n",
                          shortened(job.hosts[a].name) + " - " + shortened(job.hosts[b].name), speed.latency * 1e6,
                          gigabits(speed.bandwidth));
    }
    if (links.size() > kMostLinks) {
      text += fmt::format("  and {} that are faster\n", count_text(links.size() - kMostLinks, "link"));
    }
    const auto [least, most] = std::ranges::minmax(network.hosts);
    text +=
        wrapped("  ", fmt::format("All ranks at once: {:.3f} to {:.3f} Gbit/s a host each way, which takes {:.0f} % of "
                                  "their computing meanwhile.",
                                  gigabits(least), gigabits(most), network.speed.load * 100));
  }
  return text + fmt::format("  All-gather of {} over {}: {} ({}/s).\n", bytes_text(network.gather_bytes),
                            count_text(job.host_of.size(), "rank"), time_text(network.gather_seconds),
                            bytes_text(network.gather_bytes / network.gather_seconds));
}

std::string forecast_text(const Checkup& checkup) {
  if (!checkup.scaling) return "";
  const ScalingInput& input = *checkup.scaling;
  const Forecasts& forecasts = checkup.forecasts;
  std::string text =
      heading("PREDICTION", fmt::format("{}, {}, {}, {} a host", count_text(checkup.net.parameters, "parameter"),
                                        input.shards ? count_text(*input.shards, "shard") : "a shard a rank",
                                        "exchange node", count_text(input.ranks_per_host, "rank")));
  text += wrapped(
      "  ", fmt::format(
                "network: {} and {:.4g} Gbit/s a host each way{}", time_text(input.network.latency),
                gigabits(input.network.bandwidth),
                forecasts.assumed_network ? ", assumed: one host cannot measure it, --network US,GBIT states it" : ""));
  text += fmt::format("\n  {:>5}{:>7}{:>59}{:>27}\n", "", "", fmt::format("one batch of {}", input.batch),
                      fmt::format("{} a rank", count_text(forecasts.weak_batch, "sample")));
  text += fmt::format("  {:>5}{:>7}{:>12}{:>6}{:>11}{:>10}{:>10}{:>10}{:>14}{:>6}\n", "ranks", "hosts", "samples/s",
                      "eff.", "compute us", "network", "update", "wait", "samples/s", "eff.");
  for (std::size_t i = 0; i < forecasts.strong.size(); ++i) {
    text += forecast_row(std::size_t{1} << i, forecasts.strong[i], forecasts.weak[i]);
    if (!forecasts.strong[i]) break;  // nor are there shards for more
  }
  text += "\n";
  if (forecasts.here) {
    const double measured = static_cast<double>(input.batch) / checkup.speed.step_seconds;
    const double predicted = forecasts.here->samples_per_second;
    text += wrapped(
        "  ", fmt::format("This job: {:.0f} samples/s measured on {} (exchange {}), {:.0f} predicted ({:+.1f} %).",
                          measured, count_text(checkup.job.host_of.size(), "rank"), checkup.speed.exchange, predicted,
                          (predicted / measured - 1) * 100));
  }
  return text + wrapped("  ", limit_text(input, forecasts.limit));
}

std::string verdict_text(const Checkup& checkup) {
  const Findings& findings = checkup.findings;
  std::string text;
  if (!findings.problems.empty() || !findings.warnings.empty()) text += heading("FINDINGS", "");
  for (const std::string& problem : findings.problems) text += wrapped("  problem: ", problem);
  for (const std::string& warning : findings.warnings) text += wrapped("  slow or odd: ", warning);
  const auto things = [](std::size_t count) { return count_text(count, "thing"); };
  if (!findings.problems.empty()) {
    return text +
           heading("VERDICT", fmt::format("a run would not work: {} stand{} in its way",
                                          things(findings.problems.size()), findings.problems.size() == 1 ? "s" : ""));
  }
  if (!findings.warnings.empty()) {
    return text +
           heading("VERDICT", fmt::format("a run would work; {} slow or odd",
                                          findings.warnings.size() == 1 ? "1 thing is"
                                                                        : things(findings.warnings.size()) + " are"));
  }
  return text + heading("VERDICT", "all is well");
}

}  // namespace lockstep::cli
