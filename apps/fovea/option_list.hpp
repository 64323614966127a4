// Options of the library on the command line.
#pragma once

#include <CLI/CLI.hpp>

#include "pipeline/options.hpp"

namespace fovea {

// Adds every option to the command. The word behind an option that may stand alone may be an input already: what is none of its choices
// goes to `inputs`. `options` must outlive the command.
void add_options(CLI::App& command, const OptionList& options, std::vector<std::string>* inputs = nullptr);

}  // namespace fovea
