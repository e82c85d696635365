#include "config/starter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>

namespace lockstep {
namespace {

constexpr double kValidation = 0.1;

// A basic string of TOML.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

// For a comment: one line of it.
std::string in_a_line(std::string text, std::size_t most = 60) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "...";
}

/// Lines of TOML with what is to be said of them behind, in one column.
class Lines {
 public:
  void add(const std::string& text, const std::string& comment = {}) {
    constexpr std::size_t column = 42;
    if (comment.empty()) {
      text_ += text + "\n";
    } else if (text.size() < column) {
      text_ += fmt::format("{:<{}}# {}\n", text, column, comment);
    } else {
      text_ += fmt::format("{:<{}}# {}\n{}\n", "", column, comment, text);
    }
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

/// The choices.
struct Choices {
  std::size_t width = 64;
  double dropout = 0;
  std::size_t batch = 32;
  std::size_t shards = 8;
  std::size_t epochs = 200;
  std::size_t patience = 20;
  bool holds_out = true;
};

Choices choose(const DataFacts& facts) {
  Choices made;
  const std::size_t n = facts.samples;
  made.width = n < 2'000 ? 64 : n < 50'000 ? 128 : 256;
  if (facts.inputs >= 256) made.width = std::max<std::size_t>(made.width, 256);
  const bool labels = !facts.class_samples.empty();
  made.dropout = !labels ? 0 : n < 10'000 ? 0.2 : n < 100'000 ? 0.1 : 0;
  made.batch = n < 1'000 ? 16 : n < 5'000 ? (labels ? 64 : 32) : n < 20'000 ? 128 : n < 200'000 ? 256 : 1024;
  // A shard is computed by one rank: enough of them for all cores, and of a few rows at least.
  const std::size_t most = std::max<std::size_t>(made.batch / 4, 1);
  made.shards = std::clamp<std::size_t>(std::bit_ceil(std::max<std::size_t>(facts.cores, 4)), 1, std::bit_floor(most));
  const std::size_t steps = (n + made.batch - 1) / made.batch;
  made.epochs = std::clamp<std::size_t>(40'000 / std::max<std::size_t>(steps, 1), 20, 300);
  made.patience = std::max<std::size_t>(made.epochs / 10, 5);
  made.holds_out = static_cast<double>(n) * kValidation >= 10;
  return made;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 6;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return in_a_line(names.size() > most ? fmt::format("{}, ... ({} in all)", text, names.size()) : text);
}

}  // namespace

std::size_t starter_shards(const DataFacts& facts) {
  return choose(facts).shards;
}

std::string starter_run(const std::string& name, const DataFacts& facts) {
  const Choices made = choose(facts);
  const std::size_t classes = facts.class_samples.size();
  const bool labels = classes != 0;
  const bool binary = classes == 2;
  std::size_t all = 0;
  std::size_t fewest = labels ? facts.class_samples.front() : 0;
  for (const std::size_t count : facts.class_samples) {
    all += count;
    fewest = std::min(fewest, count);
  }
  const bool unbalanced = labels && static_cast<double>(fewest) < 0.2 * static_cast<double>(all);

  Lines out;
  for (const std::string& line : facts.head) out.add("# " + in_a_line(line, line.size()));
  out.add("name = " + quoted(name), "the run folder is runs/NAME");
  out.add("seed = 1", "starting weights, order, validation rows");
  out.add("");
  out.add("[data]");
  out.add("train = " + quoted(facts.train), fmt::format("{} samples of {} numbers", facts.samples, facts.inputs));
  if (!facts.test.empty()) out.add("test = " + quoted(facts.test), "never trained on; scored after every epoch");
  if (facts.pixels) {
    out.add("normalize = \"minmax\"", "bytes, to 0 to 1");
  } else {
    out.add("normalize = \"standard\"",
            labels ? "columns to mean 0 and deviation 1" : "columns, and targets, to mean 0 and deviation 1");
  }
  if (made.holds_out) {
    out.add(fmt::format("validation = {}", kValidation), "held out of the training samples, to know when to stop");
  }
  out.add("");
  out.add("[model]");
  const std::size_t outputs = binary ? 1 : labels ? classes : facts.targets;
  if (binary) {
    out.add("loss = \"binary_cross_entropy\"",
            "two classes: " + (facts.classes.empty() ? "0, 1" : listed(facts.classes)));
  } else if (labels) {
    out.add("loss = \"softmax_cross_entropy\"",
            fmt::format("{} classes{}", classes, facts.classes.empty() ? "" : ": " + listed(facts.classes)));
  } else {
    out.add("loss = \"mse\"", fmt::format("numbers: {}{}; \"huber\" forgives outliers",
                                          facts.target_names.empty() ? "y" : listed(facts.target_names),
                                          facts.missing_targets ? " (those that are missing are left out)" : ""));
  }
  out.add("layers = [");
  for (int layer = 0; layer < 2; ++layer) {
    out.add(fmt::format("  {{type = \"dense\", units = {}}},", made.width),
            layer == 0 ? fmt::format("wider with more samples; two hidden layers do for most tables") : "");
    out.add("  {type = \"relu\"},");
    if (made.dropout > 0) {
      out.add(fmt::format("  {{type = \"dropout\", rate = {}}},", made.dropout),
              layer == 0 ? "few samples: keeps the net from learning them by heart" : "");
    }
  }
  out.add(fmt::format("  {{type = \"dense\", units = {}}},", outputs),
          binary   ? "one number: above 0 it is the second class"
          : labels ? "one a class"
                   : "one a target");
  out.add("]");
  out.add("");
  out.add("[train]");
  out.add(fmt::format("batch = {}", made.batch), "of all ranks together; more samples, larger batches");
  out.add(fmt::format("shards = {}", made.shards),
          fmt::format("1 to {} ranks give the same bits; {} here", made.shards,
                      facts.cores == 1 ? "1 core is" : fmt::format("{} cores are", facts.cores)));
  out.add(fmt::format("epochs = {}", made.epochs), made.holds_out ? "at most" : "");
  if (made.holds_out) {
    out.add(fmt::format("early_stop = {{patience = {}}}", made.patience),
            "ends when validation improves no more, with the best state");
  }
  out.add("ema = 0.99", "the net is the average of about the last 100 steps: steadier");
  out.add("");
  out.add("[optimizer]");
  out.add("type = \"adamw\"", "needs little tuning");
  out.add(labels ? "lr = 1e-3" : "lr = 2e-3", "smaller where the loss jumps, larger where it crawls");
  out.add("weight_decay = 1e-2");
  out.add("clip_norm = 1.0", "a bad batch cannot throw the net far");
  if (made.holds_out) {
    out.add(fmt::format("schedule = {{type = \"plateau\", factor = 0.3, patience = {}}}",
                        std::max<std::size_t>(made.patience / 3, 2)),
            "smaller steps when validation improves no more");
  } else {
    out.add("schedule = {type = \"cosine\", warmup_steps = 20}");
  }
  if (made.holds_out && labels) {
    out.add("");
    out.add("[checkpoint]");
    out.add("monitor = \"validation.loss\"", "what the best state is chosen by; finer than accuracy");
  }
  if (binary && made.holds_out && unbalanced) {
    out.add("");
    out.add("[decision]");
    out.add("threshold = \"f1\"", "one class is rare: the border is chosen on validation");
  }
  return out.text();
}

}  // namespace lockstep
