// --set, what may change on resume, and where data files are looked for.
#include <filesystem>
#include <fstream>

#include "config/run_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

constexpr const char* kText = R"(
name = "digits"
[model]
layers = [{type = "dense", units = 64}, {type = "relu"}, {type = "dense", units = 10}]
[train]
batch = 128
[optimizer]
type = "sgd"
schedule = "cosine"
)";

RunConfig with(const std::vector<std::string>& overrides) {
  return parse_run(kText, "run.toml", overrides);
}

TEST(Overrides, ReplaceAndAddKeys) {
  EXPECT_EQ(with({"train.batch=64"}).train.batch, 64);
  EXPECT_EQ(with({"seed=7"}).seed, 7);
  EXPECT_EQ(with({"checkpoint.keep=9"}).checkpoint.keep, 9);  // a section that the file does not have
  EXPECT_EQ(with({"optimizer.momentum=0.9"}).optimizer.options.number("momentum"), 0.9);
  EXPECT_EQ(with({"train.batch=1", "train.batch=2"}).train.batch, 2);  // the last one counts
}

TEST(Overrides, ReachIntoLists) {
  EXPECT_EQ(with({"model.layers.0.units=8"}).model.layers[0].options.integer("units"), 8);
  EXPECT_EQ(with({"model.layers.2.name=head"}).model.layers[2].name, "head");
  EXPECT_EQ(with({"model.layers.1={type = \"tanh\"}"}).model.layers[1].type, "tanh");
  EXPECT_EQ(with({"model.layers=[]"}).model.layers.size(), 0U);
}

TEST(Overrides, TurnANameIntoATypeWithOptions) {
  const RunConfig run = with({"optimizer.schedule.warmup_steps=5", "model.loss=huber", "model.loss.delta=0.5"});
  EXPECT_EQ(run.optimizer.schedule, (Component{"cosine", {{"warmup_steps", 5}}}));
  EXPECT_EQ(run.model.loss, (Component{"huber", {{"delta", 0.5}}}));
}

TEST(Overrides, ReachEntriesOfAListThatTheFileLeavesToItsDefault) {
  const auto betas = [](const std::vector<std::string>& overrides) {
    return with(overrides).optimizer.options.numbers("betas");
  };
  EXPECT_EQ(betas({"optimizer.betas.0=0.8"}), (std::vector{0.8, 0.999}));
  EXPECT_EQ(betas({"optimizer.betas.1=0.99"}), (std::vector{0.9, 0.99}));
  EXPECT_EQ(betas({"optimizer.betas.1=0.99", "optimizer.betas.0=0.8"}), (std::vector{0.8, 0.99}));
  EXPECT_EQ(betas({"optimizer.betas=[0.1, 0.2]", "optimizer.betas.0=0.8"}), (std::vector{0.8, 0.2}));
}

TEST(Overrides, ReachOptionsOfWhatTheFileLeavesToItsDefault) {
  const RunConfig run = parse_run(
      "", "run.toml",
      std::vector<std::string>{"optimizer.schedule.warmup_steps=5", "model.loss.type=huber", "model.loss.delta=0.5"});
  EXPECT_EQ(run.optimizer.schedule, (Component{"constant", {{"warmup_steps", 5}}}));
  EXPECT_EQ(run.model.loss, (Component{"huber", {{"delta", 0.5}}}));
}

TEST(Overrides, ReachPartsOfWhatIsWrittenShort) {
  const RunConfig run = with(
      {"train.early_stop=7", "train.early_stop.min_delta=0.5", "data.train=images.npy", "data.train.y=labels.npy"});
  EXPECT_EQ(run.train.early_stop->patience, 7);
  EXPECT_EQ(run.train.early_stop->min_delta, 0.5);
  EXPECT_EQ(run.data.train, (DataSource{"images.npy", "labels.npy"}));
}

TEST(Overrides, TakeWhatIsNoTomlAsAText) {
  EXPECT_EQ(with({"data.normalize=standard"}).data.normalize, "standard");
  EXPECT_EQ(with({"data.normalize=\"standard\""}).data.normalize, "standard");
  EXPECT_EQ(with({"data.train=data/a b.h5:/train"}).data.train.x, "data/a b.h5:/train");
  EXPECT_EQ(with({"name=2020-01-01"}).name, "2020-01-01");  // not a date
  EXPECT_EQ(with({"name=a=b"}).name, "a=b");
  EXPECT_EQ(with({"name="}).name, "");
  EXPECT_EQ(with({"name=1\nseed = 5"}).name, "1\nseed = 5");  // no second key comes in this way
  EXPECT_EQ(with({"name=1\nseed = 5"}).seed, 1);
  EXPECT_EQ(with({"name=true story"}).name, "true story");
}

TEST(Overrides, AreCheckedAsTheFileIs) {
  const auto refused = [](const std::string& text, std::initializer_list<const char*> says) {
    expect_error(ErrorKind::config, says, [&] { (void)with({text}); });
  };
  refused("train.batch=0", {"train.batch", "expected more than 0"});
  refused("train.batch=many", {"train.batch", "expected an integer, found \"many\""});
  refused("train.btach=3", {"train.btach", "unknown key", "batch, shards"});
  refused("trian.batch=3", {"trian", "unknown key"});
  refused("train=3", {"train", "expected a table"});
}

TEST(Overrides, ErrorsHaveNoLineOfTheFile) {
  try {
    (void)with({"train.batch=0"});
    ADD_FAILURE() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("run.toml: train.batch")) << error.what();
  }
}

TEST(Overrides, ThatNameNoPlaceAreErrors) {
  const auto refused = [](const std::string& text, std::initializer_list<const char*> says) {
    expect_error(ErrorKind::config, says, [&] { (void)with({text}); });
  };
  refused("train.batch", {"--set train.batch: expected key=value"});
  refused("=3", {"expected key=value"});
  refused("model.layers.3.units=1", {"\"3\"", "3 entries"});
  refused("model.layers.-1.units=1", {"\"-1\"", "no index"});
  refused("model.layers.first.units=1", {"\"first\"", "count from 0"});
  refused("model.layers.3={type=\"relu\"}", {"\"3\"", "3 entries"});
  refused("optimizer.betas.2=0.8", {"\"2\"", "2 entries"});
  refused("optimizer.decay_exclude.0=bias",
          {"\"0\"", "the list is empty, set all of it: optimizer.decay_exclude=[...]"});
  refused("train.batch.size=1", {"nothing below 128"});
  refused("name.first=1", {"nothing below \"digits\""});
  refused("train.=1", {"train."});
  refused("name=\xE9", {"expected UTF-8"});
  refused(".=1", {"unknown key"});
}

TEST(CompareRuns, OfEqualRunsIsEmpty) {
  const RunDifference difference = compare_runs(with({}), with({}));
  EXPECT_TRUE(difference.allowed.empty());
  EXPECT_TRUE(difference.forbidden.empty());
}

TEST(CompareRuns, LetsChangeWhatTheContractNamesAndNothingElse) {
  const RunConfig kept = with({});
  const std::vector<std::string> may = {"train.epochs=9",
                                        "train.exchange=allreduce",
                                        "train.threads=2",
                                        "train.wire=bfloat16",
                                        "train.overlap=false",
                                        "checkpoint.keep=9",
                                        "checkpoint.every_epochs=9",
                                        "checkpoint.every_steps=9",
                                        "log.every_steps=9",
                                        "log.tensorboard=true",
                                        "log.trace=true",
                                        "log.report=false",
                                        "log.gradient_norm=true",
                                        "log.train_scores=true",
                                        "decision.threshold=f1",
                                        "checkpoint.monitor=test.loss",
                                        "data.train=b.h5:/x",
                                        "data.test=b.h5:/x",
                                        "data.memory_limit=1GB",
                                        "train.on_nonfinite=skip",
                                        "train.time_limit=90m",
                                        "train.stall_timeout=9",
                                        "train.audit_every=9",
                                        "train.early_stop=9",
                                        "checkpoint.every_seconds=9",
                                        "model.initial=other.h5"};
  for (const std::string& text : may) {
    const RunDifference difference = compare_runs(kept, with({text}));
    ASSERT_EQ(difference.allowed.size(), 1U) << text;
    EXPECT_EQ(difference.allowed[0].key, text.substr(0, text.find('=')));
    EXPECT_TRUE(difference.forbidden.empty()) << text;
  }
  const std::vector<std::string> must_not = {"name=other",
                                             "seed=9",
                                             "data.normalize=standard",
                                             "data.classes=9",
                                             "data.validation=0.5",
                                             "data.load=stream",
                                             "data.window=1GB",
                                             "data.block=9",
                                             "data.window_rows=9",
                                             "data.window_stride=9",
                                             "data.window_horizon=9",
                                             "data.series=station",
                                             "data.series_input=true",
                                             "model.loss=mae",
                                             "model.layers.0.units=9",
                                             "model.freeze=[\"dense1\"]",
                                             "train.batch=9",
                                             "train.shards=9",
                                             "train.ema=0.5",
                                             "optimizer.type=adam",
                                             "optimizer.lr=9",
                                             "optimizer.schedule.warmup_steps=9",
                                             "optimizer.clip_norm=9",
                                             "optimizer.decay_exclude=[\"bias\"]",
                                             "optimizer.momentum=0.9"};
  for (const std::string& text : must_not) {
    const RunDifference difference = compare_runs(kept, with({text}));
    ASSERT_EQ(difference.forbidden.size(), 1U) << text;
    EXPECT_TRUE(text.starts_with(difference.forbidden[0].key)) << difference.forbidden[0].key;
    EXPECT_TRUE(difference.allowed.empty()) << text;
  }
  // Together they are all keys, so that a new key must be put on one side.
  EXPECT_EQ(may.size() + must_not.size(), flatten(RunConfig{}).size() + 1);
}

TEST(CompareRuns, ShowsOldAndNewValue) {
  EXPECT_EQ(compare_runs(with({}), with({"train.batch=64"})).forbidden.at(0).value, "128 -> 64");
  EXPECT_EQ(compare_runs(with({}), with({"train.shards=4"})).forbidden.at(0).value, "unset -> 4");
  const RunConfig momentum = with({"optimizer.momentum=0.9"});
  EXPECT_EQ(compare_runs(with({}), momentum).forbidden.at(0).value, "unset -> 0.9");
  EXPECT_EQ(compare_runs(momentum, with({})).forbidden.at(0).value, "0.9 -> unset");
  EXPECT_EQ(compare_runs(momentum, with({"optimizer.momentum=0.5"})).forbidden.size(), 1U);
}

class ResolvePaths : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* folder : {"a", "b"}) std::filesystem::create_directory(place(folder));
    for (const char* file : {"a/one.h5", "b/one.h5", "b/two.h5", "b/labels.idx"}) std::ofstream(place(file)) << "x";
  }
  [[nodiscard]] std::string place(const std::string& name) const { return (folder_.path() / name).string(); }
  [[nodiscard]] RunConfig resolved(const DataSource& train) const {
    RunConfig run;
    run.data.train = train;
    const std::vector<std::string> folders = {place("a"), place("b")};
    resolve_paths(run, folders);
    return run;
  }
  TemporaryFolder folder_;
};

TEST_F(ResolvePaths, TakesTheFirstFolderThatHasTheFile) {
  EXPECT_EQ(resolved({"one.h5:/train"}).data.train.x, place("a/one.h5:/train"));
  EXPECT_EQ(resolved({"two.h5:/deep/er"}).data.train.x, place("b/two.h5:/deep/er"));
  EXPECT_EQ(resolved({"two.h5"}).data.train.x, place("b/two.h5"));
  EXPECT_EQ(resolved({"../b/two.h5"}).data.train.x, place("b/two.h5"));
}

TEST_F(ResolvePaths, TakesBothFilesOfAPair) {
  EXPECT_EQ(resolved({"one.h5", "labels.idx"}).data.train, (DataSource{place("a/one.h5"), place("b/labels.idx")}));
}

TEST_F(ResolvePaths, LeavesAbsolutePathsAndEmptyOnes) {
  EXPECT_EQ(resolved({place("b/one.h5") + ":/x"}).data.train.x, place("b/one.h5:/x"));
  EXPECT_TRUE(resolved({}).data.train.empty());
}

TEST_F(ResolvePaths, FindsTheInitialNetAndLeavesOneThatIsGone) {
  const auto initial = [&](const std::string& name) {
    RunConfig run;
    run.model.initial = name;
    const std::vector<std::string> folders = {place("a"), place("b")};
    resolve_paths(run, folders);
    return *run.model.initial;
  };
  EXPECT_EQ(initial("two.h5"), place("b/two.h5"));
  EXPECT_EQ(initial("../a"), place("a"));
  EXPECT_EQ(initial("gone.h5"), "gone.h5");
}

TEST_F(ResolvePaths, NamesAllPlacesItLookedAt) {
  expect_error(ErrorKind::data, {"three.h5", place("a/three.h5").c_str(), place("b/three.h5").c_str()},
               [&] { (void)resolved({"three.h5:/train"}); });
  expect_error(ErrorKind::data, {"no.idx"}, [&] { (void)resolved({"one.h5", "no.idx"}); });
}

}  // namespace
}  // namespace lockstep
