#include "apps/fovea/lanes.hpp"

#include "modules/core/threads.hpp"

namespace fovea {

int LaneArguments::budget() const { return threads > 0 ? threads : cpu_budget(); }

void add_lane_options(CLI::App& command, LaneArguments& a) {
  command.add_option("-t,--threads", a.threads, "Processors to use (default: all that this process may use)")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--hint", a.hint,
                  "latency: one image at a time on all processors; throughput: a processor for each image, with the memory that "
                  "takes; auto: throughput, wider where there are fewer images than processors")
      ->check(CLI::IsMember({"auto", "latency", "throughput"}))
      ->capture_default_str();
  command.add_option("-j,--jobs", a.jobs, "Images read:computed:written at once, for example 1:2:1; wins over --hint");
}

Jobs lanes_for(const LaneArguments& a, std::size_t items) {
  return plan_jobs(a.budget(), items, parse_hint(a.hint), a.jobs.empty() ? std::nullopt : std::optional(parse_jobs(a.jobs)));
}

}  // namespace fovea
