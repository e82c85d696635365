// Layers of a run file: what they read, and lists that stand in a net several times.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/layer_names.hpp"
#include "config/run_file.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

std::vector<LayerConfig> read(const std::string& layers) {
  return parse_run("[model]\nlayers = " + layers, "run.toml").model.layers;
}

void refused(const std::string& layers, std::initializer_list<const char*> parts) {
  expect_error(ErrorKind::config, parts, [&] { (void)read(layers); });
}

TEST(Layers, NameWhatTheyRead) {
  const auto layers = read(R"([{type = "dense", units = 3, name = "a"}, {type = "add", inputs = ["a", "input"]}])");
  ASSERT_EQ(layers.size(), 2U);
  EXPECT_TRUE(layers[0].inputs.empty());
  EXPECT_EQ(layers[1].inputs, (std::vector<std::string>{"a", "input"}));
  EXPECT_TRUE(layers[1].options.values().empty());
}

TEST(Layers, AListStandsInTheNetAsOftenAsItSays) {
  const auto layers = read(R"([
    {type = "dense", units = 3},
    {repeat = 2, layers = [{type = "dense", units = 3, name = "fc"}, {type = "relu", name = "r"},
                           {type = "add", inputs = ["input", "r"]}]},
    {type = "concat", inputs = ["fc_1", "fc_2", "dense1", "add2"]}])");
  ASSERT_EQ(layers.size(), 8U);
  const auto names = layer_names(layers);
  EXPECT_EQ(names, (std::vector<std::string>{"dense1", "fc_1", "r_1", "add1", "fc_2", "r_2", "add2", "concat1"}));
  EXPECT_EQ(layers[3].inputs, (std::vector<std::string>{"dense1", "r_1"}));
  EXPECT_EQ(layers[6].inputs, (std::vector<std::string>{"add1", "r_2"}));
  EXPECT_EQ(layer_inputs(layers, names)[6], (std::vector<std::size_t>{4, 6}));
}

TEST(Layers, ListsWithinListsReadWhatStandsBeforeThem) {
  const auto layers = read(R"([{repeat = 2, layers = [
    {repeat = 2, layers = [{type = "tanh", name = "t"}, {type = "add", inputs = ["input", "t"]}]},
    {type = "multiply", inputs = ["input", "add1"]}]}])");
  const auto names = layer_names(layers);
  EXPECT_EQ(names, (std::vector<std::string>{"t_1_1", "add1", "t_2_1", "add2", "multiply1", "t_1_2", "add3", "t_2_2",
                                             "add4", "multiply2"}));
  EXPECT_EQ(layers[1].inputs, (std::vector<std::string>{"input", "t_1_1"}));
  EXPECT_EQ(layers[3].inputs, (std::vector<std::string>{"add1", "t_2_1"}));
  EXPECT_EQ(layers[4].inputs.front(), "input");
  EXPECT_EQ(layers[6].inputs, (std::vector<std::string>{"multiply1", "t_1_2"}));
  EXPECT_EQ(layers[9].inputs.front(), "multiply1");
}

TEST(Layers, AreTheSameWhenWrittenAndReadAgain) {
  const std::string text = R"([model]
layers = [{repeat = 3, layers = [{type = "dense", units = 4, name = "a"}, {type = "add", inputs = ["a", "input"]}]}]
)";
  const RunConfig run = parse_run(text, "run.toml");
  const RunConfig again = parse_run(format_run(run), "again.toml");
  EXPECT_EQ(run.model.layers, again.model.layers);
  EXPECT_EQ(again.model.layers.size(), 6U);
  EXPECT_TRUE(compare_runs(run, again).forbidden.empty());
  RunConfig other = run;
  other.model.layers[5].inputs = {"a_3", "a_2"};
  EXPECT_EQ(compare_runs(run, other).forbidden.size(), 1U);
}

TEST(Layers, ErrorsNameThePlace) {
  refused(R"([{type = "add", inputs = "a"}])", {"run.toml:2", "model.layers[0].inputs", "expected a list of texts"});
  refused(R"([{type = "add", inputs = []}])", {"model.layers[0].inputs", "the list is empty"});
  refused(R"([{type = "add", inputs = ["@1"]}])", {"model.layers[0].inputs", "\"@1\" is no name"});
  refused(R"([{repeat = 0, layers = [{type = "relu"}]}])", {"model.layers[0].repeat", "more than 0"});
  refused(R"([{repeat = 2.5, layers = [{type = "relu"}]}])", {"model.layers[0].repeat", "an integer"});
  refused(R"([{repeat = 2}])", {"model.layers[0]", "the layers to repeat"});
  refused(R"([{repeat = 2, layers = []}])", {"model.layers[0]", "the layers to repeat"});
  refused(R"([{repeat = 2, layers = [{type = "relu"}], type = "relu"}])",
          {"model.layers[0].type", "repeat and layers"});
  refused(R"([{repeat = 2, layers = [{units = 3}]}])", {"model.layers[0].layers[0]", "a type is needed"});
  refused(R"([{repeat = 10001, layers = [{type = "relu"}]}])", {"model.layers[0]", "at most 10000 layers"});
  refused(R"([{repeat = 9000, layers = [{type = "relu"}]}, {repeat = 9000, layers = [{type = "relu"}]}])",
          {"model.layers[1]", "at most 10000 layers"});
}

}  // namespace
}  // namespace lockstep
