// A simulation that trains a net on what it computes: damped pendulums, and a net that learns to step them.
//
// The last rank of the job does not take part, and the others train in the reverse order of their ranks, so a library
// that used MPI_COMM_WORLD by itself would hang or fail here. Exits with 1 on every rank when a check fails on one.
#include <lockstep/trainer.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kPendulums = 48;  // on each rank
constexpr int kSteps = 200;
constexpr float kTimeStep = 0.2F;

// The physics: angle'' = -sin(angle) - angle' / 4, in semi-implicit Euler steps.
class Pendulums {
 public:
  explicit Pendulums(unsigned seed) : random_(seed) {}

  // Starts anew, then goes one time step on.
  void advance() {
    before.clear();
    change.clear();
    for (std::size_t i = 0; i < kPendulums; ++i) {
      float angle = spread_(random_);
      float speed = spread_(random_);
      before.insert(before.end(), {angle, speed});
      const float old_angle = angle;
      const float old_speed = speed;
      speed += kTimeStep * (-std::sin(angle) - 0.25F * speed);
      angle += kTimeStep * speed;
      change.insert(change.end(), {angle - old_angle, speed - old_speed});
    }
  }

  [[nodiscard]] lockstep::LocalSamples samples() const { return {.x = before, .values = change}; }

  std::vector<float> before;  // [n, 2] angle, speed
  std::vector<float> change;  // [n, 2] over the time step

 private:
  std::mt19937 random_;
  std::uniform_real_distribution<float> spread_{-2.0F, 2.0F};
};

lockstep::RunConfig surrogate(std::int64_t units) {
  lockstep::RunConfig run;
  run.seed = 7;
  run.model.loss = {"mse"};
  run.model.layers = {{"dense", {{"units", units}}}, {"tanh"}, {"dense", {{"units", 2}}}};
  run.train.shards = 4;
  run.optimizer.type = "adam";
  run.optimizer.lr = 1e-2;
  return run;
}

int failures = 0;

void check(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "simulation: failed: %s\n", what);
  ++failures;
}

void simulate(MPI_Comm comm, const std::string& folder) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  Pendulums pendulums(1000U + static_cast<unsigned>(rank));
  lockstep::Trainer trainer(comm, surrogate(32), 2);
  lockstep::Trainer other(comm, surrogate(8), 2);  // a second net beside the first
  check(trainer.num_parameters() == 32 * 3 + 2 * 33, "the net has the weights that its layers say");

  double first = 0;
  double last = 0;
  for (int step = 1; step <= kSteps; ++step) {
    pendulums.advance();
    last = trainer.train_step(pendulums.samples()).loss;
    other.train_step(pendulums.samples());
    if (step == 1) first = last;
  }
  if (rank == 0) std::printf("loss %.3g -> %.3g after %d steps\n", first, last, kSteps);
  check(trainer.steps() == kSteps && other.steps() == kSteps, "each trainer counts its own steps");
  check(last < first / 50, "the loss falls to a fiftieth");

  // New pendulums, which the net has not seen.
  pendulums.advance();
  const lockstep::Scores scores = trainer.evaluate(pendulums.samples());
  int size = 0;
  MPI_Comm_size(comm, &size);
  check(scores.samples == kPendulums * static_cast<std::size_t>(size), "every rank's samples are counted once");
  check(scores.r2.value_or(0) > 0.95, "the net explains the change of new pendulums");
  std::vector<float> predicted(pendulums.change.size());
  trainer.predict(pendulums.before, predicted);
  double squares = 0;
  for (std::size_t i = 0; i < predicted.size(); ++i) squares += std::pow(predicted[i] - pendulums.change[i], 2);
  check(std::sqrt(squares / static_cast<double>(predicted.size())) < 2 * scores.rmse.value_or(0),
        "predictions are as good as the scores say");

  // What is saved and loaded is the same to the bit, and goes on to the same bits.
  const std::string file = folder + "/pendulum.h5";
  trainer.save(file);
  lockstep::Trainer loaded(comm, surrogate(32), 2);
  check(loaded.digest() != trainer.digest(), "a fresh trainer is not the trained one");
  loaded.load(file);
  check(loaded.digest() == trainer.digest() && loaded.steps() == kSteps, "the loaded trainer is the saved one");
  trainer.train_step(pendulums.samples());
  loaded.train_step(pendulums.samples());
  check(loaded.digest() == trainer.digest(), "the loaded trainer goes on as the saved one");

  // A net of another shape is refused and left as it was.
  const std::string digest = other.digest();
  bool refused = false;
  try {
    other.load(file);
  } catch (const lockstep::Error& error) {
    refused = error.kind() == lockstep::ErrorKind::data;
  }
  check(refused && other.digest() == digest, "a checkpoint of another net is refused");
}

}  // namespace

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  int rank = 0;
  int size = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (argc != 2 || size < 2) {
    std::fprintf(stderr, "Usage: mpirun -n 3 simulation FOLDER (at least 2 ranks)\n");
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  MPI_Comm workers = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, rank == size - 1 ? MPI_UNDEFINED : 0, -rank, &workers);
  if (workers != MPI_COMM_NULL) {
    try {
      simulate(workers, argv[1]);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "simulation: rank %d: %s\n", rank, error.what());
      MPI_Abort(MPI_COMM_WORLD, 1);
    }
    MPI_Comm_free(&workers);
  }
  int total = 0;
  MPI_Allreduce(&failures, &total, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  if (rank == 0) std::printf("%s\n", total == 0 ? "all checks passed" : "some checks failed");
  MPI_Finalize();
  return total == 0 ? 0 : 1;
}
