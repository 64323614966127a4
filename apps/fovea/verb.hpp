// The commands that do something to every input: `fovea <verb> INPUT... -o OUT`, written once for all of them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apps/fovea/commands.hpp"
#include "pipeline/operation.hpp"

namespace fovea {

struct Verb {
  std::string name, text, examples;
  std::unique_ptr<Operation> operation;
  // Done instead of a run where it says so, with the model's name: `--list-layers`.
  std::function<void(OptionList& options)> add_more = {};
  std::function<bool(const std::string& model)> instead = {};
};

Command verb_command(Verb verb);

}  // namespace fovea
