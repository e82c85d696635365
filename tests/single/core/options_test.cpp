// Options: typed reading, and errors that name place, key and what was found.
#include "lockstep/options.hpp"

#include <limits>

#include "support/expect_error.hpp"

namespace lockstep {
namespace {

Options sample() {
  Options options{
      {"units", 64}, {"rate", 0.25}, {"bias", true}, {"init", "uniform"}, {"betas", std::vector<double>{0.9, 0.999}},
      {"whole", 3.0}};
  options.set_where("model.layers[2]");
  return options;
}

TEST(Options, GiveWhatWasSet) {
  const Options options = sample();
  EXPECT_EQ(options.integer("units"), 64);
  EXPECT_EQ(options.number("rate"), 0.25);
  EXPECT_TRUE(options.boolean("bias"));
  EXPECT_EQ(options.text("init"), "uniform");
  EXPECT_EQ(options.numbers("betas"), (std::vector<double>{0.9, 0.999}));
}

TEST(Options, TakeAnIntegerForANumberButNotTheOtherWay) {
  EXPECT_EQ(sample().number("units"), 64.0);
  expect_error(ErrorKind::config, {"model.layers[2].whole", "expected an integer", "found 3.0"},
               [] { (void)sample().integer("whole"); });
}

TEST(Options, GiveTheFallbackWhenAbsentOnly) {
  const Options options = sample();
  EXPECT_EQ(options.integer("depth", 7), 7);
  EXPECT_EQ(options.number("eps", 1e-8), 1e-8);
  EXPECT_TRUE(options.boolean("nesterov", true));
  EXPECT_EQ(options.text("mode", "none"), "none");
  EXPECT_EQ(options.numbers("range", std::vector<double>{1}), std::vector<double>{1});
  EXPECT_EQ(options.integer("units", 7), 64);
  EXPECT_EQ(options.text("init", "zeros"), "uniform");
}

TEST(Options, AnAbsentValueWithoutFallbackIsAnError) {
  const Options options = sample();
  expect_error(ErrorKind::config, {"model.layers[2].depth", "an integer is needed"},
               [&] { (void)options.integer("depth"); });
  expect_error(ErrorKind::config, {"a number is needed"}, [&] { (void)options.number("depth"); });
  expect_error(ErrorKind::config, {"true or false is needed"}, [&] { (void)options.boolean("depth"); });
  expect_error(ErrorKind::config, {"a text is needed"}, [&] { (void)options.text("depth"); });
  expect_error(ErrorKind::config, {"a list of numbers is needed"}, [&] { (void)options.numbers("depth"); });
}

TEST(Options, AnotherTypeIsAnErrorThatShowsTheValue) {
  const Options options = sample();
  expect_error(ErrorKind::config, {"model.layers[2].init", "expected a number", "\"uniform\""},
               [&] { (void)options.number("init"); });
  expect_error(ErrorKind::config, {"expected an integer", "found true"}, [&] { (void)options.integer("bias"); });
  expect_error(ErrorKind::config, {"expected true or false", "found 64"}, [&] { (void)options.boolean("units"); });
  expect_error(ErrorKind::config, {"expected a text", "found 0.25"}, [&] { (void)options.text("rate"); });
  expect_error(ErrorKind::config, {"expected a list of numbers", "found 0.25"}, [&] { (void)options.numbers("rate"); });
  expect_error(ErrorKind::config, {"expected a number", "[0.9, 0.999]"}, [&] { (void)options.number("betas"); });
  // A fallback does not hide a wrong type.
  expect_error(ErrorKind::config, {"expected a text"}, [&] { (void)options.text("rate", "none"); });
}

TEST(Options, BoundsIncludeTheirEndsAndRefuseNan) {
  Options options{{"n", 5}, {"nan", std::numeric_limits<double>::quiet_NaN()}};
  EXPECT_EQ(options.integer_in("n", 5, 9), 5);
  EXPECT_EQ(options.integer_in("n", 1, 5), 5);
  EXPECT_EQ(options.number_in("n", 5, 5), 5.0);
  expect_error(ErrorKind::config, {"n: expected 6 to 9, found 5"}, [&] { (void)options.integer_in("n", 6, 9); });
  expect_error(ErrorKind::config, {"n: expected 0 to 4.5, found 5"}, [&] { (void)options.number_in("n", 0, 4.5); });
  expect_error(ErrorKind::config, {"found nan"}, [&] { (void)options.number_in("nan", 0, 1); });
}

TEST(Options, AnUnknownKeyIsNamedWithTheKnownOnesAndTheNeighbours) {
  Options options{{"moment", 0.9}};
  options.set_where("optimizer (sgd)");
  options.set_neighbours({"type", "lr"});
  expect_error(ErrorKind::config, {"optimizer (sgd): unknown key \"moment\"", "momentum, nesterov, type, lr"}, [&] {
    options.expect_only({"momentum", "nesterov"});
  });
  EXPECT_NO_THROW(options.expect_only({"moment", "momentum"}));
  expect_error(ErrorKind::config, {"known keys: none"}, [] { Options{{"a", 1}}.expect_only({}); });
}

TEST(Options, AMessageWithoutAPlaceStartsWithTheKey) {
  try {
    (void)Options{}.integer("units");
    ADD_FAILURE() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("units: ")) << error.what();
  }
}

TEST(Options, SetReplacesAndPlacesDoNotCountInComparisons) {
  Options a{{"units", 64}};
  Options b{{"units", 32}};
  EXPECT_FALSE(a == b);
  b.set("units", 64);
  b.set_where("elsewhere");
  EXPECT_TRUE(a == b);
  b.set("units", 64.0);  // a number of another type is another value
  EXPECT_FALSE(a == b);
}

}  // namespace
}  // namespace lockstep
