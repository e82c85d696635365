// Expecting an Error of a kind whose message says certain things.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "lockstep/error.hpp"

namespace lockstep {

/// Fails the test unless `action` throws an Error of `kind` whose message holds every text of `says`.
template <class Action>
void expect_error(ErrorKind kind, std::initializer_list<const char*> says, Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    for (const char* text : says) EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    return;
  }
  ADD_FAILURE() << "expected an Error";
}

}  // namespace lockstep
