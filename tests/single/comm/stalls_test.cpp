// Who is named when nothing moves: the rank that holds up the others, not those that wait for it.
#include "comm/stalls.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lockstep {
namespace {

// Rank `rank` in step 7, of a job of which all have begun 20 waits.
RankView view(int rank, bool waits, double still) {
  return {.rank = rank,
          .waits_begun = 20,
          .step = 7,
          .phase = Phase::backward,
          .waits = waits,
          .pid = getpid(),
          .still = still};
}

std::string told(std::vector<RankView> ranks, double timeout, const std::string& elsewhere = "",
                 bool terminating = false) {
  return find_stall(ranks, "a", timeout, elsewhere, terminating).value_or("");
}

TEST(FindStall, NamesTheRankThatDoesNotWait) {
  const std::vector<RankView> ranks{view(0, true, 31), view(1, false, 30), view(2, true, 31)};
  const std::string text = told(ranks, 30);
  EXPECT_NE(text.find("rank 1 on a has given no sign of life for 30 s"), std::string::npos) << text;
  EXPECT_NE(text.find("step 7, in the backward pass"), std::string::npos) << text;
  EXPECT_EQ(text.find("rank 0"), std::string::npos) << text;
  EXPECT_EQ(told(ranks, 31), "");
  EXPECT_EQ(told(ranks, 0), "");  // never
}

TEST(FindStall, NamesTheOneThatWasStoppedWhileItWaited) {
  std::vector<RankView> ranks{view(0, true, 40), view(1, true, 41), view(2, true, 40)};
  ranks[1].waits_begun = 19;  // the others have gone on since
  const std::string text = told(ranks, 30);
  EXPECT_NE(text.find("rank 1 on a"), std::string::npos) << text;
  EXPECT_NE(text.find("waiting for the others"), std::string::npos) << text;
  EXPECT_EQ(text.find("rank 2"), std::string::npos) << text;
}

TEST(FindStall, NamesTheOneThatIsStoppedWhereAllWaitForIt) {
  std::vector<RankView> ranks{view(0, true, 30), view(1, true, 30)};
  ranks[1].state = 'T';
  EXPECT_NE(told(ranks, 30).find("rank 1 on a has given no sign"), std::string::npos);
  EXPECT_NE(told(ranks, 30).find("is stopped"), std::string::npos);
  EXPECT_EQ(told(ranks, 30).find("rank 0"), std::string::npos);
}

TEST(FindStall, WhereAllWaitAnotherHostIsMeantMuchLater) {
  const std::vector<RankView> early{view(0, true, 31), view(1, true, 31)};
  EXPECT_EQ(told(early, 30), "");
  const std::vector<RankView> late{view(0, true, 36), view(1, true, 36)};
  EXPECT_NE(told(late, 30).find("each other"), std::string::npos);
  EXPECT_EQ(told(late, 30, "rank 2 on b"), "");  // it may be at work there
  const std::vector<RankView> very_late{view(0, true, 301), view(1, true, 300)};
  EXPECT_NE(told(very_late, 30, "rank 2 on b").find("an answer of rank 2 on b"), std::string::npos);
}

TEST(FindStall, WhoHasLeftIsNotMissed) {
  std::vector<RankView> ranks{view(0, false, 99), view(1, true, 99)};
  ranks[0].left = true;
  ranks[0].state = 'X';
  ranks[0].missing = 99;
  EXPECT_EQ(told(ranks, 30), "");
  ranks[1].left = true;
  EXPECT_EQ(told(ranks, 30), "");
}

TEST(FindStall, ADeadRankIsToldAfterItsLauncherHadTheTime) {
  std::vector<RankView> ranks{view(0, true, 1), view(1, false, 1)};
  ranks[1].state = 'Z';
  ranks[1].missing = 1;
  EXPECT_EQ(told(ranks, 30), "");
  EXPECT_NE(told(ranks, 30, "", true).find("rank 1 on a (process"), std::string::npos);  // it sends SIGTERM: at once
  ranks[1].missing = 3;
  EXPECT_NE(told(ranks, 0).find("is gone"), std::string::npos);
}

TEST(RanksElsewhere, AreListedByHost) {
  const std::vector<std::string> hosts{"a", "b", "a", "b", "c"};
  EXPECT_EQ(ranks_elsewhere(hosts, "a"), "ranks 1, 3 on b; rank 4 on c");
  EXPECT_EQ(ranks_elsewhere(std::vector<std::string>{"a", "a"}, "a"), "");
}

TEST(ProcessState, SeesAProcessStoppedAndEnded) {
  EXPECT_EQ(process_state(getpid()), 'R');
  const pid_t child = fork();
  if (child == 0) {
    raise(SIGSTOP);
    _exit(0);
  }
  waitpid(child, nullptr, WUNTRACED);
  EXPECT_EQ(process_state(child), 'T');
  kill(child, SIGCONT);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  EXPECT_EQ(process_state(child), 'Z');  // its parent has not asked for it yet
  waitpid(child, nullptr, 0);
  EXPECT_EQ(process_state(child), 'X');
}

}  // namespace
}  // namespace lockstep
