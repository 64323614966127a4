// A parser of outside bytes under test. With clang, -fsanitize=fuzzer calls LLVMFuzzerTestOneInput; with g++, driver.cpp does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

namespace fovea::fuzz {

// Whole inputs to begin with.
std::vector<std::vector<std::uint8_t>> seeds();

}  // namespace fovea::fuzz
