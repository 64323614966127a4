// What a finished run over files says at its end.
#pragma once

#include <string>

#include "pipeline/process.hpp"

namespace fovea {

struct Summary {
  const Operation& operation;
  const Process& process;
  const FileRunResult& result;
  std::string out;
  int threads;
};

void print_json_summary(const Summary& summary);  // one line on standard output
void print_summary(const Summary& summary);       // for people; what went wrong on standard error

}  // namespace fovea
