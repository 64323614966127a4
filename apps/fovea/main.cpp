// `fovea`: finds the command, runs it, turns errors into messages and exit codes.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <vector>

#include "apps/fovea/commands.hpp"
#include "modules/core/error.hpp"
#include "pipeline/sinks/folder_lock.hpp"

namespace {

// OpenMP's threads spin while they wait unless the environment says otherwise when the process starts: setting it here would be
// too late, so the program starts itself once more. The second start finds it set.
void wait_passively(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY")) return;
  if (::setenv("OMP_WAIT_POLICY", "passive", 0) != 0) return;
  ::execv("/proc/self/exe", argv);  // returns only where that is not possible; then spinning costs time, not results
}

int run(int argc, char** argv) {
  CLI::App app{"Vision models that show where they look."};
  app.set_version_flag("--version", std::string("fovea ") + FOVEA_VERSION);
  app.require_subcommand(1);
  app.footer("`fovea COMMAND --help` explains a command.\n"
             "Exit codes: 0 all done, 3 done but some inputs were quarantined, 64 wrong usage, 75 try again (interrupted, disk full).");
  std::vector<fovea::RunCommand> commands;
  std::vector<CLI::App*> declared;
  for (const fovea::Command& command : fovea::kCommands) {
    declared.push_back(app.add_subcommand(command.name, command.summary));
    commands.push_back(command.declare(*declared.back()));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? fovea::kExitDone : fovea::kExitUsage;
  }
  for (std::size_t i = 0; i < declared.size(); ++i)
    if (declared[i]->parsed()) return commands[i]();
  return fovea::kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  wait_passively(argv);
  try {
    return run(argc, argv);
  } catch (const fovea::FolderBusy& e) {
    fmt::print(stderr, "fovea: {}\n", e.what());
    return fovea::kExitTryAgain;
  } catch (const fovea::EnvironmentError& e) {
    fmt::print(stderr, "fovea: {}\n", e.what());
    return fovea::kExitTryAgain;
  } catch (const std::exception& e) {
    fmt::print(stderr, "fovea: {}\n", e.what());
    return fovea::kExitUsage;
  }
}
