// Who was promised to be a rank of a job and is a job of its own: by the environments that launchers leave.
#include "comm/launch.hpp"

#include <gtest/gtest.h>

#include <map>

namespace lockstep {
namespace {

using Variables = std::map<std::string, std::string>;

constexpr const char* kOpenMpi = "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4";
constexpr const char* kMpich = "MPICH Version:\t4.0.2\nMPICH Release date: Thu Apr  7 2022";

// What srun gives a task of four: within a job script, or on its own.
const Variables kStep{{"SLURM_JOB_ID", "7"}, {"SLURM_STEP_ID", "0"},        {"SLURM_PROCID", "2"},
                      {"SLURM_NTASKS", "4"}, {"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_LOCALID", "2"}};

Variables with(Variables variables, const Variables& more) {
  for (const auto& [name, value] : more) variables[name] = value;
  return variables;
}

Launch read(const Variables& variables) {
  return read_launch([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

std::string told(const Variables& variables, std::optional<int> ranks, const char* library = kOpenMpi) {
  return find_split_job(read(variables), ranks, library).value_or("");
}

void expect_told(const std::string& text, std::initializer_list<const char*> fragments) {
  for (const char* fragment : fragments) EXPECT_NE(text.find(fragment), std::string::npos) << fragment << "\n" << text;
}

TEST(FindSplitJob, IsQuietWithoutALauncher) {
  EXPECT_EQ(told({}, {}), "");
  EXPECT_EQ(told({}, 1), "");
}

TEST(FindSplitJob, TellsOfTasksOfSrunThatAreAlone) {
  expect_told(told(kStep, 1), {"srun started 4 tasks (SLURM_STEP_NUM_TASKS)", "MPI sees this one alone",
                               "srun --mpi=pmix", "mpirun of the MPI", "Open MPI v4.1.4"});
  expect_told(told(kStep, 2), {"MPI sees 2"});
  EXPECT_EQ(told(kStep, 4), "");
  expect_told(told({{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "3"}}, 1),
              {"3 tasks (SLURM_NTASKS)"});
}

TEST(ReadLaunch, KnowsTheFirstRankOfAHost) {
  EXPECT_EQ(read({{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_LOCAL_RANK", "0"}}).local_rank, 0);
  EXPECT_EQ(read(with(kStep, {{"SLURM_PROCID", "6"}})).local_rank, 2);
  EXPECT_EQ(read({{"PMI_RANK", "3"}}).local_rank, 3);
  EXPECT_EQ(read({}).local_rank, 0);
}

TEST(ReadLaunch, KnowsWhetherThereAreSeveralHosts) {
  const Variables mpirun{{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_RANK", "1"}};
  EXPECT_TRUE(read(with(mpirun, {{"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}})).several_hosts);
  EXPECT_FALSE(read(with(mpirun, {{"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}})).several_hosts);
  EXPECT_TRUE(read(with(kStep, {{"SLURM_STEP_NUM_NODES", "2"}})).several_hosts);
  EXPECT_FALSE(read(with(kStep, {{"SLURM_STEP_NUM_NODES", "1"}})).several_hosts);
  EXPECT_FALSE(read({}).several_hosts);
}

// Where MPI_Init itself would end the process.
TEST(FindSplitJob, TellsBeforeOpenMpiStartsThatNothingConnectsItsTasks) {
  expect_told(told(kStep, {}), {"srun started 4 tasks", "told them nothing of each other", "srun --mpi=pmix"});
  EXPECT_EQ(told(with(kStep, {{"PMIX_RANK", "2"}}), {}), "");
  EXPECT_EQ(told(with(kStep, {{"PMI_RANK", "2"}, {"PMI_SIZE", "4"}}), {}), "");
  EXPECT_EQ(told(kStep, {}, kMpich), "");  // MPICH may find the others by Slurm's variables
  EXPECT_EQ(told(with(kStep, {{"SLURM_STEP_NUM_TASKS", "1"}}), {}), "");
}

TEST(FindSplitJob, TakesABatchScriptForOneProcess) {
  const Variables script{{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}, {"SLURM_LOCALID", "0"}};
  EXPECT_EQ(told(script, {}), "");
  EXPECT_EQ(told(script, 1), "");
  const Variables shell = with(script, {{"SLURM_STEP_ID", "4294967290"}});  // of salloc
  EXPECT_EQ(told(shell, {}), "");
  EXPECT_EQ(told(shell, 1), "");
}

TEST(FindSplitJob, BelievesMpirunWithinAStep) {
  // The step is that of mpirun's daemons, one a node.
  const Variables rank = with(kStep, {{"SLURM_STEP_NUM_TASKS", "2"}, {"OMPI_COMM_WORLD_SIZE", "8"}});
  EXPECT_EQ(told(rank, {}), "");
  EXPECT_EQ(told(rank, 8), "");
  EXPECT_EQ(told(with(kStep, {{"OMPI_COMM_WORLD_SIZE", "1"}}), 1), "");
}

TEST(FindSplitJob, TellsOfTheMpirunOfAnotherMpi) {
  expect_told(told({{"OMPI_COMM_WORLD_SIZE", "4"}}, 1, kMpich),
              {"mpirun started 4 tasks (OMPI_COMM_WORLD_SIZE)", "another MPI", "MPICH Version:\t4.0.2"});
  expect_told(told({{"PMI_SIZE", "4"}, {"PMI_RANK", "1"}}, 1), {"mpiexec started 4 tasks (PMI_SIZE)", "another MPI"});
  expect_told(told({{"MV2_COMM_WORLD_SIZE", "4"}}, 1), {"mpirun started 4 tasks (MV2_COMM_WORLD_SIZE)"});
  expect_told(told(with(kStep, {{"PMI_SIZE", "4"}}), 1), {"srun started 4 tasks (PMI_SIZE)", "srun --mpi=pmix"});
}

TEST(FindSplitJob, IgnoresWhatIsNoNumber) {
  EXPECT_EQ(told({{"OMPI_COMM_WORLD_SIZE", "many"}, {"PMI_SIZE", ""}}, 1), "");
}

TEST(ReadLaunch, TakesTheRankOfTheInnermostLauncher) {
  EXPECT_EQ(read({}).rank, 0);
  EXPECT_EQ(read(kStep).rank, 2);
  EXPECT_EQ(read(with(kStep, {{"PMIX_RANK", "3"}})).rank, 3);
  EXPECT_EQ(read(with(kStep, {{"OMPI_COMM_WORLD_RANK", "1"}})).rank, 1);
}

}  // namespace
}  // namespace lockstep
