// Run files: reading, defaults, errors, and the way there and back.
#include "config/run_file.hpp"

#include <cmath>
#include <limits>
#include <set>

#include "config/keys.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

// Sets every key to something else than its default.
constexpr const char* kEverything = R"(
name = "digits"
seed = 9223372036854775807
[data]
train = "data/digits.h5:/train"
test = {x = "images.idx.gz", y = "labels.idx.gz"}
normalize = "standard"
classes = 10
validation = 0.25
load = "stream"
memory_limit = "8GiB"
window = "64MB"
block = 1024
window_rows = 24
window_stride = 2
window_horizon = 6
series = "station"
series_input = true
[model]
loss = {type = "softmax_cross_entropy", label_smoothing = 0.1}
layers = [{type = "dense", units = 64, bias = false, init = "kaiming_uniform"}, {type = "relu", name = "knee"},
          {type = "dropout", rate = 0.1}, {type = "dense", units = 10}]
freeze = ["dense1"]
initial = "other.h5"
[train]
batch = 128
shards = 8
epochs = 30
exchange = "allreduce"
wire = "bfloat16"
overlap = false
threads = 2
on_nonfinite = "skip"
time_limit = "1h55m"
stall_timeout = 60
audit_every = 500
early_stop = {monitor = "test.loss", patience = 5, min_delta = 0.01, restore_best = false}
ema = 0.99
[optimizer]
type = "adamw"
lr = 1e-3
schedule = {type = "cosine", warmup_steps = 50}
clip_norm = 3.0
decay_exclude = ["bias"]
betas = [0.9, 0.99]
eps = 1e-7
weight_decay = 2
[decision]
threshold = "youden"
[checkpoint]
every_epochs = 2
every_steps = 100
every_seconds = 600.5
keep = 5
monitor = "test.loss"
[log]
every_steps = 10
tensorboard = true
trace = true
report = false
gradient_norm = true
train_scores = true
)";

RunConfig parse(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return parse_run(text, "run.toml", overrides);
}

void expect_refused(const std::string& text, std::initializer_list<const char*> says) {
  expect_error(ErrorKind::config, says, [&] { (void)parse(text); });
}

void expect_same(const RunConfig& a, const RunConfig& b) {
  const auto left = flatten(a);
  const auto right = flatten(b);
  ASSERT_EQ(left.size(), right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    EXPECT_EQ(left[i].key, right[i].key);
    EXPECT_EQ(left[i].value, right[i].value) << left[i].key;
  }
  // flatten could show unlike values alike, so what has types is compared itself too.
  EXPECT_TRUE(a.model.layers == b.model.layers && a.model.loss == b.model.loss);
  EXPECT_TRUE(a.optimizer.options == b.optimizer.options && a.optimizer.schedule == b.optimizer.schedule);
  EXPECT_TRUE(a.data.train == b.data.train && a.data.test == b.data.test);
}

TEST(RunFile, SetsEveryMember) {
  const RunConfig run = parse(kEverything);
  EXPECT_EQ(run.name, "digits");
  EXPECT_EQ(run.seed, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(run.data.train, (DataSource{"data/digits.h5:/train", ""}));
  EXPECT_EQ(run.data.test, (DataSource{"images.idx.gz", "labels.idx.gz"}));
  EXPECT_EQ(run.data.normalize, "standard");
  EXPECT_EQ(run.data.classes, 10);
  EXPECT_EQ(run.data.validation, 0.25);
  EXPECT_EQ(run.data.load, "stream");
  EXPECT_EQ(run.data.memory_limit, "8GiB");
  EXPECT_EQ(run.data.window, "64MB");
  EXPECT_EQ(run.data.block, 1024);
  EXPECT_EQ(run.data.window_rows, 24);
  EXPECT_EQ(run.data.window_stride, 2);
  EXPECT_EQ(run.data.window_horizon, 6);
  EXPECT_EQ(run.data.series, "station");
  EXPECT_TRUE(run.data.series_input);
  EXPECT_EQ(run.model.loss, (Component{"softmax_cross_entropy", {{"label_smoothing", 0.1}}}));
  ASSERT_EQ(run.model.layers.size(), 4U);
  EXPECT_EQ(run.model.layers[0],
            (LayerConfig{"dense", {{"units", 64}, {"bias", false}, {"init", "kaiming_uniform"}}, ""}));
  EXPECT_EQ(run.model.layers[1], (LayerConfig{"relu", {}, "knee"}));
  EXPECT_EQ(run.model.freeze, std::vector<std::string>{"dense1"});
  EXPECT_EQ(run.model.initial, "other.h5");
  EXPECT_EQ(run.train.batch, 128);
  EXPECT_EQ(run.train.shards, 8);
  EXPECT_EQ(run.train.epochs, 30);
  EXPECT_EQ(run.train.exchange, "allreduce");
  EXPECT_EQ(run.train.wire, "bfloat16");
  EXPECT_FALSE(run.train.overlap);
  EXPECT_EQ(run.train.threads, 2);
  EXPECT_EQ(run.train.on_nonfinite, "skip");
  EXPECT_EQ(run.train.time_limit, "1h55m");
  EXPECT_EQ(run.train.stall_timeout, 60);
  EXPECT_EQ(run.train.audit_every, 500);
  EXPECT_EQ(run.train.early_stop, (EarlyStop{"test.loss", 5, 0.01, false}));
  EXPECT_EQ(run.train.ema, 0.99);
  EXPECT_EQ(run.optimizer.type, "adamw");
  EXPECT_EQ(run.optimizer.lr, 1e-3);
  EXPECT_EQ(run.optimizer.schedule, (Component{"cosine", {{"warmup_steps", 50}}}));
  EXPECT_EQ(run.optimizer.clip_norm, 3.0);
  EXPECT_EQ(run.optimizer.decay_exclude, std::vector<std::string>{"bias"});
  EXPECT_EQ(run.checkpoint.every_epochs, 2);
  EXPECT_EQ(run.checkpoint.every_steps, 100);
  EXPECT_EQ(run.checkpoint.every_seconds, 600.5);
  EXPECT_EQ(run.checkpoint.keep, 5);
  EXPECT_EQ(run.checkpoint.monitor, "test.loss");
  EXPECT_EQ(run.log.every_steps, 10);
  EXPECT_TRUE(run.log.tensorboard);
  EXPECT_TRUE(run.log.trace);
  EXPECT_FALSE(run.log.report);
  EXPECT_TRUE(run.log.gradient_norm);
  EXPECT_TRUE(run.log.train_scores);
  EXPECT_EQ(run.decision.threshold.rule, "youden");
}

TEST(RunFile, PassesFurtherOptimizerKeysOnAsItsOptions) {
  const Options expected{{"betas", std::vector<double>{0.9, 0.99}}, {"eps", 1e-7}, {"weight_decay", 2}};
  const RunConfig run = parse(kEverything);
  EXPECT_EQ(run.optimizer.options, expected);
  expect_error(ErrorKind::config, {"optimizer (adamw): unknown key", "type, lr, schedule, clip_norm, decay_exclude"},
               [&] { run.optimizer.options.expect_only({"betas"}); });
}

TEST(RunFile, LeavesDefaultsWhereNothingIsSaid) {
  expect_same(parse(""), RunConfig{});
  expect_same(parse("[train]\n[optimizer]\n"), RunConfig{});
}

TEST(RunFile, TestFileSetsEveryKeyToAnotherValue) {
  const auto set = flatten(parse(kEverything));
  const auto defaults = flatten(RunConfig{});
  for (std::size_t i = 0; i < defaults.size(); ++i) {  // so that the round trip below covers every key, also new ones
    ASSERT_EQ(set[i].key, defaults[i].key);
    EXPECT_NE(set[i].value, defaults[i].value) << set[i].key << ": set it in kEverything";
  }
}

TEST(FormatRun, ReadsBackAsTheSameRun) {
  for (const char* text : {kEverything, ""}) {
    const RunConfig run = parse(text);
    const std::string written = format_run(run);
    expect_same(parse(written), run);
    EXPECT_EQ(format_run(parse(written)), written);
  }
}

TEST(FormatRun, KeepsEveryBitOfANumber) {
  const std::vector<double> numbers = {0.1,         1e-3, 3.0, 1.0 / 3, 1e-300, 5e-324, 1.7976931348623157e308,
                                       123456789.0, 1e22};
  for (const double number : numbers) {
    RunConfig run;
    run.optimizer.lr = number;
    run.optimizer.options.set("eps", number);
    run.optimizer.options.set("betas", std::vector<double>{number, -number, 1});
    run.model.layers = {{"leaky_relu", {{"negative_slope", number}}}};
    const RunConfig back = parse(format_run(run));
    EXPECT_EQ(back.optimizer.lr, number);
    expect_same(back, run);
  }
  for (const std::int64_t number :
       {std::int64_t{0}, std::int64_t{1} << 53U, std::numeric_limits<std::int64_t>::max()}) {
    RunConfig run;
    run.seed = number;
    run.optimizer.options.set("steps", -number);
    const RunConfig back = parse(format_run(run));
    EXPECT_EQ(back.seed, number);
    EXPECT_EQ(back.optimizer.options, run.optimizer.options);
  }
}

TEST(FormatRun, KeepsEveryCharacterOfAText) {
  for (const std::string text :
       {"plain", "q\"uote's", "back\\slash\\n", "two\nlines", "\nlead", "trail\n", "\r\n", "tab\t", "\x01\x1f\x7f",
        "é漢字😀", "'''\n\"\"\"x", "", " ", "# no comment", "{x = 1}", "end\\"}) {
    RunConfig run;
    run.name = text;
    run.data.train = {text + "x", text};
    run.data.test = {text + "x", ""};
    run.optimizer.decay_exclude = {text, "b"};
    run.model.layers = {{"dense", {{"init", text}}, text}};
    run.model.loss = {text, {}};
    const RunConfig back = parse(format_run(run));
    EXPECT_EQ(back.name, text);
    expect_same(back, run);
  }
}

TEST(FormatRun, KeepsNamesOfOptionsThatNeedQuotes) {
  const RunConfig run = parse(
      "model.layers = [{type = \"dense\", \"\" = 1, \"two words\" = 2, \"a.b\" = 3, \"q\\\"uote\" = 4}]\n"
      "optimizer.\"schedule.type\" = \"step\"\n");
  const RunConfig again = parse(format_run(run));
  expect_same(run, again);
  EXPECT_TRUE(again.model.layers[0].options.values().contains("q\"uote"));
  EXPECT_TRUE(again.optimizer.options.values().contains("schedule.type"));
}

TEST(Flatten, HasEveryKeyOnceWithTheOptimizersOptionsBehind) {
  const auto keys = flatten(parse(kEverything));
  std::set<std::string> names;
  for (const KeyValue& entry : keys) EXPECT_TRUE(names.insert(entry.key).second) << entry.key;
  EXPECT_EQ(keys[0].key, "name");
  EXPECT_EQ(keys.back().key, "optimizer.weight_decay");
  EXPECT_EQ(keys.back().value, "2");
  EXPECT_EQ(flatten(RunConfig{}).size() + 3, keys.size());
}

TEST(RunFile, ATomlErrorNamesFileAndLine) {
  expect_refused("name = \"a\"\n\n[train\nbatch = 1\n", {"run.toml:3:"});
  expect_refused("seed = 1\nseed = 2\n", {"run.toml:2:"});
}

TEST(RunFile, AnUnknownKeyListsTheKnownOnesOfItsSection) {
  expect_refused("nmae = 1", {"run.toml:1: nmae: unknown key",
                              "name, seed, data, model, train, optimizer, decision, checkpoint, log"});
  expect_refused("[data]\ntrian = \"x\"",
                 {"run.toml:2: data.trian: unknown key",
                  "[data]: train, test, normalize, classes, validation, load, memory_limit, window, block"});
  expect_refused("[model]\nx = 1", {"model.x", "loss, layers"});
  expect_refused("[train]\nbatchsize = 1", {"train.batchsize",
                                            "batch, shards, epochs, exchange, wire, overlap, threads, on_nonfinite, "
                                            "time_limit, stall_timeout, audit_every, early_stop, ema"});
  expect_refused("[checkpoint]\nx = 1", {"checkpoint.x", "every_epochs, every_steps, every_seconds, keep, monitor"});
  expect_refused("[log]\nevery = 1",
                 {"log.every", "every_steps, tensorboard, trace, report, gradient_norm, train_scores"});
  expect_refused("[trian]\nbatch = 1", {"trian", "train"});
  expect_refused("\"train.batch\" = 64", {"train.batch", "unknown key"});  // in quotes it is one odd key
}

TEST(RunFile, AnotherTypeIsAnErrorThatShowsTheValue) {
  expect_refused("name = 3", {"run.toml:1: name", "expected a text, found 3"});
  expect_refused("seed = \"x\"", {"seed", "expected an integer, found \"x\""});
  expect_refused("[train]\nbatch = 3.0", {"train.batch", "expected an integer, found 3.0"});
  expect_refused("[train]\nbatch = true", {"expected an integer, found true"});
  expect_refused("[train]\nbatch = [1]", {"found a list"});
  expect_refused("[train]\nbatch = 2020-01-01", {"found a date"});
  expect_refused("[optimizer]\nlr = \"x\"", {"optimizer.lr", "expected a number"});
  expect_refused("[optimizer]\nclip_norm = {}", {"found a table"});
  expect_refused("[optimizer]\ndecay_exclude = \"bias\"", {"expected a list of texts"});
  expect_refused("[optimizer]\ndecay_exclude = [1]", {"expected a list of texts, found 1"});
  expect_refused("[optimizer]\nbetas = [0.9, \"x\"]", {"optimizer.betas", "expected a list of numbers, found \"x\""});
  expect_refused("[optimizer]\neps = {a = 1}", {"optimizer.eps", "found a table"});
  for (const char* text : {"\"F1\"", "true", "1", "-0.1", "1.5", "nan", "[0.5]"}) {
    expect_refused(std::string("[decision]\nthreshold = ") + text, {"decision.threshold: expected a probability"});
  }
  expect_refused("[train]\nearly_stop = true", {"run.toml:2: train.early_stop", "patience alone, found true"});
  expect_refused("[train]\nearly_stop = 0", {"train.early_stop: expected more than 0, found 0"});
  expect_refused("[train]\nearly_stop = {patience = 0}", {"train.early_stop.patience: expected more than 0, found 0"});
  expect_refused("[train]\nearly_stop = {min_delta = -1}", {"train.early_stop.min_delta", "0 or more"});
  expect_refused("[train]\nearly_stop = {restore_best = 1}", {"train.early_stop.restore_best", "true or false"});
  expect_refused("[train]\nearly_stop = {monitor = 1}", {"train.early_stop.monitor", "expected a text"});
  expect_refused("[train]\nearly_stop = {wait = 1}",
                 {"train.early_stop.wait: unknown key; known keys: monitor, patience, min_delta, restore_best"});
  expect_refused("train = 3", {"train: expected a table, found 3"});
  expect_refused("[[train]]\nbatch = 3", {"train: expected a table, found a list"});
  expect_refused("[data]\ntrain = 3", {"data.train", "FILE.h5:/group"});
  expect_refused("[data]\ntrain = {x = 3}", {"expected a file name or a list of them, found 3"});
  expect_refused("[data]\ntrain = {x = \"a\", z = \"b\"}", {"unknown key \"z\"; known keys: x, y"});
  expect_refused("[data]\ntrain = {y = \"b\"}", {"the name of the file is empty"});
  expect_refused("[model]\nloss = 3", {"model.loss", "expected a name or {type"});
  expect_refused("[model]\nloss = {delta = 1}", {"model.loss", "a type is needed"});
  expect_refused("[model]\nloss = {type = 1}", {"model.loss.type: expected a text, found 1"});
  expect_refused("[model]\nlayers = \"dense\"", {"model.layers: expected a list"});
  expect_refused("[model]\nlayers = [\n{type = \"relu\"},\n3]", {"run.toml:4: model.layers[1]", "found 3"});
  expect_refused("[model]\nlayers = [{units = 3}]", {"model.layers[0]: a type is needed"});
  expect_refused("[model]\nlayers = [{type = \"dense\", name = 3}]",
                 {"model.layers[0].name: expected a text, found 3"});
}

TEST(RunFile, AnIntegerAboveTwoToThe53IsTakenAsANumber) {
  const RunConfig run =
      parse("optimizer.lr = 9223372036854775807\noptimizer.betas = [-9223372036854775808, 9007199254740993]\n");
  EXPECT_EQ(run.optimizer.lr, 0x1p63);
  EXPECT_EQ(run.optimizer.options.numbers("betas"), (std::vector<double>{-0x1p63, 0x1p53}));
}

TEST(RunFile, KeysOfVeryManyPartsAreRefused) {
  std::string key;
  for (int i = 0; i < 100'000; ++i) key += "a.";
  expect_refused(key + "a = 1\n", {"run.toml", "at most 10000 dots", "found 100000"});
  expect_refused("[" + key + "a]\n", {"at most 10000 dots"});
  expect_refused(key.substr(0, 20'000) + "a = 1\n", {"unknown key"});  // 10,000 parts are read
}

TEST(RunFile, BoundsAreChecked) {
  for (const std::string key : {"train.batch", "train.shards", "train.epochs", "train.threads", "data.classes",
                                "checkpoint.keep", "optimizer.lr"}) {
    expect_error(ErrorKind::config, {key.c_str(), "expected more than 0, found 0"},
                 [&] { (void)parse("", {key + "=0"}); });
    expect_error(ErrorKind::config, {key.c_str(), "found -1"}, [&] { (void)parse("", {key + "=-1"}); });
    EXPECT_NO_THROW((void)parse("", {key + "=1"}));
  }
  for (const std::string key : {"seed", "data.validation", "train.ema", "optimizer.clip_norm",
                                "checkpoint.every_epochs", "checkpoint.every_steps", "log.every_steps"}) {
    expect_error(ErrorKind::config, {key.c_str(), "expected 0 or more, found -1"},
                 [&] { (void)parse("", {key + "=-1"}); });
    EXPECT_NO_THROW((void)parse("", {key + "=0"}));
  }
  for (const std::string key : {"optimizer.lr", "optimizer.clip_norm"}) {
    expect_error(ErrorKind::config, {key.c_str(), "nan"}, [&] { (void)parse("", {key + "=nan"}); });
    expect_error(ErrorKind::config, {key.c_str(), "finite", "inf"}, [&] { (void)parse("", {key + "=inf"}); });
  }
}

TEST(RunFile, EarlyStopIsAPatienceOrATableAndUnsetByDefault) {
  EXPECT_EQ(parse("").decision.threshold, ThresholdConfig{});
  EXPECT_EQ(parse("[decision]\nthreshold = 0.25").decision.threshold, (ThresholdConfig{.value = 0.25}));
  EXPECT_EQ(parse("", {"decision.threshold=f1"}).decision.threshold, (ThresholdConfig{.rule = "f1"}));
  EXPECT_FALSE(parse("").train.early_stop);
  EXPECT_EQ(parse("[train]\nearly_stop = {}").train.early_stop, EarlyStop{});
  EXPECT_EQ(parse("[train]\nearly_stop = 7").train.early_stop, (EarlyStop{.patience = 7}));
  EXPECT_EQ(parse("", {"train.early_stop.min_delta=0.5"}).train.early_stop, (EarlyStop{.min_delta = 0.5}));
}

TEST(RunFile, ChoicesAreListed) {
  expect_refused("[train]\noverlap = 1", {"train.overlap", "expected true or false", "1"});
  expect_refused("[train]\nwire = \"float16\"", {"train.wire", "float32, bfloat16", "\"float16\""});
  expect_refused("[train]\nexchange = \"ring\"", {"train.exchange", "tree, allreduce", "\"ring\""});
  expect_refused("[data]\nnormalize = \"max\"", {"data.normalize", "none, standard, minmax", "\"max\""});
}

TEST(RunFile, OptionsKnowWhereTheyStand) {
  const RunConfig run = parse(kEverything);
  EXPECT_EQ(run.model.layers[2].options.where(), "model.layers[2] (dropout)");
  EXPECT_EQ(run.model.loss.options.where(), "model.loss (softmax_cross_entropy)");
  EXPECT_EQ(run.optimizer.schedule.options.where(), "optimizer.schedule (cosine)");
  EXPECT_EQ(run.optimizer.options.where(), "optimizer (adamw)");
}

TEST(DescribeKeys, HasALineWithFourFieldsForEveryKey) {
  const std::string text = describe_keys();
  std::set<std::string> names;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string line = text.substr(at, text.find('\n', at) - at);
    at += line.size() + 1;
    EXPECT_EQ(std::count(line.begin(), line.end(), '\t'), 3) << line;
    EXPECT_TRUE(names.insert(line.substr(0, line.find('\t'))).second) << line;
  }
  std::set<std::string> expected;
  for (const KeyValue& entry : flatten(RunConfig{})) expected.insert(entry.key);
  EXPECT_EQ(names, expected);
  EXPECT_NE(text.find("train.batch\tinteger\t32\tsamples of the GLOBAL batch\n"), std::string::npos);
  EXPECT_NE(text.find("train.shards\tinteger\tunset\t"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
