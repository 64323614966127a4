#include "apps/fovea/summary.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "pipeline/clock.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/sinks/progress.hpp"

namespace fovea {
namespace {

struct Cpu {
  double model = 0, codec = 0;
};

Cpu cpu_of(const FileRunResult& result) {
  Cpu cpu;
  for (const auto& [stage, seconds] : result.cpu) (stage == "model" ? cpu.model : cpu.codec) += seconds;
  return cpu;
}

double rounded(double seconds) { return std::round(seconds * 1e4) / 1e4; }

std::string images(std::size_t count) { return fmt::format("{} image{}", count, count == 1 ? "" : "s"); }

}  // namespace

void print_json_summary(const Summary& s) {
  const FileRunResult& r = s.result;
  const Cpu cpu = cpu_of(r);
  nlohmann::ordered_json json{{"event", "summary"},
                              {"model", s.operation.model().name()},
                              {"precision", name_of(s.process.precision())},
                              {"total", r.total},
                              {"done", r.done},
                              {"up_to_date", r.up_to_date},
                              {"quarantined", r.quarantined},
                              {"left", r.left}};
  s.operation.add_to_summary(json);
  if (!r.stopped.empty()) json["stopped"] = r.stopped;
  if (!r.warning.empty()) json["warning"] = r.warning;
  put_name(json, "out", s.out);
  for (const auto& file : s.process.files())
    if (file.extension() == ".html") put_name(json, "report", file.string());
  json["wall_s"] = rounded(r.wall);
  json["model_cpu_s"] = rounded(cpu.model);
  json["codec_cpu_s"] = rounded(cpu.codec);
  json["process_cpu_s"] = rounded(process_cpu_seconds());
  json["threads"] = s.threads;
  json["peak_rss_mb"] = std::round(peak_memory_mb() * 10) / 10;
  fmt::print("{}\n", dump(json));
}

void print_summary(const Summary& s) {
  const FileRunResult& r = s.result;
  const Cpu cpu = cpu_of(r);
  fmt::print("{} {} with {} in {}, {} ({:.1f} s of processor time for the model, {:.1f} s for the rest)\n", images(r.done),
             s.operation.done_text(), s.operation.model().name(), clock_text(r.wall), name_of(s.process.precision()), cpu.model,
             cpu.codec);
  if (r.up_to_date > 0) fmt::print("{} up to date from before\n", images(r.up_to_date));
  if (r.quarantined > 0)
    fmt::print("{} quarantined; the reasons are in {}\n", images(r.quarantined), s.out + "/fovea-ledger.jsonl");
  for (const std::string& line : s.operation.summary_lines()) fmt::print("{}\n", line);
  fmt::print("results:  {}\n", s.out);
  for (const auto& file : s.process.files())
    fmt::print("{} {}\n", file.extension() == ".html" ? "report:  " : "table:   ", file.string());
  std::fflush(stdout);
  if (!r.warning.empty()) fmt::print(stderr, "{}\n", r.warning);
  if (r.left > 0)
    fmt::print(stderr, "{} left ({}). Give the same command again to go on.\n", images(r.left),
               r.stopped.empty() ? "inputs changed meanwhile" : r.stopped);
}

}  // namespace fovea
