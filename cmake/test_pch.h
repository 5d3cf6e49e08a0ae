// As pch.h, with the test libraries.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "cmake/pch.h"

// Compiled once, in test_instances.cc: what nearly every file of properties needs.
extern template void rc::detail::checkGTest(void (*&&)());
extern template void rc::detail::checkGTest(void (*&&)(uint64_t));
