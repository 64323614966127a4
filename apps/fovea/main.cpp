// `fovea`: finds the command, runs it, turns errors into messages and exit codes.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "apps/fovea/commands.hpp"
#include "modules/core/budget.hpp"
#include "modules/core/error.hpp"
#include "modules/plan/plan.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/sinks/folder_lock.hpp"

namespace {

// OpenMP's threads spin for long while they wait unless the environment says otherwise when the process starts: setting it here
// would be too late, so the program starts itself once more. The second start finds it set. Sleeping at once would cost as much: a
// step of MobileNetV2 on two threads takes 57 ms so and 35 ms with a spin this short, which 60 calls 10 ms apart pay with 72 ms of
// processor instead of 63 (494 where threads never sleep).
void wait_passively(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || ::setenv("OMP_WAIT_POLICY", "passive", 0) != 0) return;
  ::setenv("GOMP_SPINCOUNT", "3000", 0);
  ::execv("/proc/self/exe", argv);  // returns only where that is not possible; then spinning costs time, not results
}

// For every command that builds a network, which is all of them.
void add_memory(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    command
        ->add_option_function<std::uint64_t>("--max-memory", fovea::set_memory_limit,
                                             "What a network may take, as in 8G: parameters and values. Unless given: 4G for "
                                             "what a recipe asks by itself, all that "
                                             "there is for pictures and batches of your own")
        ->transform(CLI::AsSizeValue(false))
        ->check(CLI::PositiveNumber)
        ->type_name("SIZE")
        ->envname("FOVEA_MAX_MEMORY");
}

// For every command that runs networks.
void add_tuning(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](const CLI::App* c) {
         for (const char* runs_none : {"describe", "export", "import", "list", "predict", "train"})
           if (c->get_name() == runs_none) return false;
         return true;
       }))
    command
        ->add_flag_callback(
            "--no-tune", [] { fovea::plan::set_tuning(false); },
            "Do not measure which way to compute is the fastest here: the same bits for every number of threads")
        ->envname("FOVEA_NO_TUNE");
}

int complain(const std::exception& e, int exit_code) {
  std::cerr << "fovea: " << e.what() << "\n";
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  wait_passively(argv);
  CLI::App app{"Vision models that show where they look.", "fovea"};
  app.set_version_flag("--version", "fovea " FOVEA_VERSION);
  app.require_subcommand(1);
  app.footer("`fovea COMMAND --help` explains a command.");
  fovea::Run run;
  fovea::add_task_verbs(app, run);
  fovea::add_train(app, run);
  fovea::add_eval(app, run);
  fovea::add_export(app, run);
  fovea::add_import(app, run);
  fovea::add_explain(app, run);
  fovea::add_list(app, run);
  fovea::add_study(app, run);
  fovea::add_describe(app, run);
  fovea::add_plan(app, run);
  add_tuning(app);
  add_memory(app);
  try {
    auto words = fovea::resolve_predict({argv + 1, argv + argc});
    std::reverse(words.begin(), words.end());  // CLI11 takes them from the end
    app.parse(std::move(words));
    return run();
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? fovea::kExitDone : fovea::kExitUsage;
  } catch (const fovea::UsageError& e) { return complain(e, fovea::kExitUsage); } catch (const fovea::FolderBusy& e) {
    return complain(e, fovea::kExitTryAgain);
  } catch (const fovea::EnvironmentError& e) { return complain(e, fovea::kExitTryAgain); } catch (const std::exception& e) {
    return complain(e, fovea::kExitError);
  }
}
