#include <iostream>

#include "apps/fovea/commands.hpp"
#include "modules/core/error.hpp"

int main(int argc, char** argv) {
  CLI::App app{"Vision models that show where they look."};
  app.require_subcommand(1);
  fovea::Run run;
  fovea::add_train(app, run);
  fovea::add_eval(app, run);
  CLI11_PARSE(app, argc, argv);
  try {
    return run();
  } catch (const fovea::Error& e) {
    std::cerr << "fovea: " << e.what() << "\n";
    return 1;
  }
}
